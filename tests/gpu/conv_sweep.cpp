#include "engine/random.h"
#include "tests/gpu/gpu_check.h"
#include "tests/support/network_shapes.h"

namespace sagcl::gpu {

using engine::Dtype;
using engine::Precision;
using ops::ConvGeometry;

namespace {

Tensor noise(const engine::Shape& shape, const char* name, Device device) {
  engine::Generator random(1, name);
  std::vector<float> values(std::size_t(shape.size()));
  for (float& v : values) v = float(random.uniform(-1, 1));
  return Tensor::of(shape, values).to(device);
}

/// The three results of one convolution, in the dtype of its operands.
struct Passes {
  Tensor y, dx, dw;
  Passes(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& dy)
      : y(Tensor::empty_like(dy)), dx(Tensor::empty_like(x)), dw(Tensor::empty_like(w)) {
    ops::Backend& device = ops::backend(x.device());
    device.conv_forward(g, x, w, b, y);
    device.conv_backward_data(g, w, dy, {}, dx);
    device.conv_backward_weight(g, x, dy, dw);
  }
};

}  // namespace

int conv_sweep(const Options& options) {
  const std::pair<Precision, double> precisions[] = {{Precision::fp32, 2e-5}, {Precision::tf32, 2e-3}, {Precision::bf16, 1e-2}};
  int failures = 0;
  for (tests::NetworkShape shape : tests::network_shapes()) {
    if (shape.name.find(options.only) == std::string::npos) continue;
    ConvGeometry& g = shape.geometry;
    g.N = 1;  // the f64 reference is slow
    for (int a = 0; options.small && a < 3; ++a) {  // even extents, rows that no tile of a kernel divides
      g.in[a] = std::min<std::int64_t>(g.in[a], a == 2 ? 20 : 10);
      g.out[a] = (g.in[a] + 2 * g.padding[a] - g.kernel[a]) / g.stride[a] + 1;
    }
    const auto tensor = [&](const engine::Extents& e, std::int64_t n, std::int64_t c) { return engine::Shape{n, e[0], e[1], e[2], c}; };
    const Tensor x = noise(tensor(g.in, g.N, g.C), "x", options.device), w = noise(tensor(g.kernel, g.O, g.C), "w", options.device);
    const Tensor dy = noise(tensor(g.out, g.N, g.O), "dy", options.device), b = noise({g.O}, "b", options.device);
    const auto wide = [](const Tensor& t) { return t.to(Dtype::f64); };
    const Passes exact(g, wide(x), wide(w), wide(b), wide(dy));
    for (const auto& [precision, limit] : precisions) {
      if (options.small && precision != Precision::tf32) continue;
      engine::set_precision(precision);
      const Passes ours(g, x, w, b, dy);
      const double y = relative_error(ours.y, exact.y), dx = relative_error(ours.dx, exact.dx), dw = relative_error(ours.dw, exact.dw);
      const bool ok = y <= limit && dx <= limit && dw <= limit;
      failures += !ok;
      report(options, "conv", shape.name, fmt::format("\"precision\": \"{}\", \"y\": {:.1e}, \"dx\": {:.1e}, \"dw\": {:.1e}, \"ok\": {}",
                                                      engine::to_string(precision), y, dx, dw, ok));
    }
  }
  engine::set_precision(Precision::fp32);
  return failures;
}

}  // namespace sagcl::gpu
