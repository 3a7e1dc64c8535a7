#include <algorithm>

#include "engine/devices/precision.h"
#include "engine/random.h"
#include "ops/arithmetic.h"
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

/// The three results of one convolution; y and dx in the dtype of the activations, dw in that of the weights.
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

engine::Shape shape_of(const engine::Extents& e, std::int64_t n, std::int64_t c) { return {n, e[0], e[1], e[2], c}; }

/// Small images, even in height for pooling, with rows that no tile of a kernel divides.
void shrink(ConvGeometry& g) {
  for (int a = 0; a < 3; ++a) {
    g.in[a] = std::min<std::int64_t>(g.in[a], a == 2 ? 20 : 10);
    g.out[a] = (g.in[a] + 2 * g.padding[a] - g.kernel[a]) / g.stride[a] + 1;
  }
}

}  // namespace

int weight_gradients(const Options& options) {
  engine::set_precision(Precision::tf32);
  int failures = 0;
  for (tests::NetworkShape shape : tests::network_shapes()) {
    ConvGeometry& g = shape.geometry;
    if (g.kernel[2] != 3 || g.C > 64 || g.O % 16 != 0 || g.O > 64 || !selected(options, shape.name)) continue;
    g.N = 2;
    shrink(g);
    const Tensor x = noise(shape_of(g.in, g.N, g.C), "x", options.device),
                 dy = noise(shape_of(g.out, g.N, g.O), "dy", options.device);
    Tensor dw = Tensor::empty(shape_of(g.kernel, g.O, g.C), Dtype::f32, options.device),
           exact = Tensor::empty(dw.shape(), Dtype::f64, options.device);
    ops::Backend& device = ops::backend(options.device);
    device.conv_backward_weight(g, x, dy, dw);
    device.conv_backward_weight(g, x.to(Dtype::f64), dy.to(Dtype::f64), exact);
    const double error = relative_error(dw, exact);
    const bool ok = error <= 1e-3;
    failures += !ok;
    report(options, "weight", shape.name, fmt::format("\"error\": {:.1e}, \"ok\": {}", error, ok));
  }
  engine::set_precision(Precision::fp32);
  return failures;
}

int conv_sweep(const Options& options) {
  const std::pair<Precision, double> precisions[] = {
      {Precision::fp32, 2e-5}, {Precision::tf32, 2e-3}, {Precision::bf16, 1e-2}};
  int failures = 0;
  for (tests::NetworkShape shape : tests::network_shapes()) {
    if (!selected(options, shape.name)) continue;
    ConvGeometry& g = shape.geometry;
    g.N = 1;  // the f64 reference is slow
    if (options.small) shrink(g);
    const Tensor x = noise(shape_of(g.in, g.N, g.C), "x", options.device),
                 w = noise(shape_of(g.kernel, g.O, g.C), "w", options.device);
    const Tensor dy = noise(shape_of(g.out, g.N, g.O), "dy", options.device), b = noise({g.O}, "b", options.device);
    const auto wide = [](const Tensor& t) { return t.to(Dtype::f64); };
    const Passes exact(g, wide(x), wide(w), wide(b), wide(dy));
    for (const auto& [precision, limit] : precisions) {
      if (options.small && precision != Precision::tf32) continue;
      if (!options.precision.empty() && options.precision != engine::to_string(precision)) continue;
      engine::set_precision(precision);
      const bool narrow = precision == Precision::bf16;
      const Tensor in = narrow ? ops::converted(x, Dtype::bf16) : x, slope = narrow ? ops::converted(dy, Dtype::bf16) : dy;
      const Passes ours(g, in, w, b, slope);
      const double y = relative_error(ours.y, exact.y), dx = relative_error(ours.dx, exact.dx),
                   dw = relative_error(ours.dw, exact.dw);
      // A weight gradient by three products in TF32 may be as far from an fp32 engine as that is from f64.
      const bool ok = y <= limit && dx <= limit && dw <= (precision == Precision::fp32 ? 2 * limit : limit);
      failures += !ok;
      const double ms = options.small ? 0 : time_ms(options.device, 5, [&] { Passes(g, in, w, b, slope); });
      report(options, "conv", shape.name,
             fmt::format(
                 "\"precision\": \"{}\", \"y\": {:.1e}, \"dx\": {:.1e}, \"dw\": {:.1e}, \"passes_ms\": {:.3f}, \"ok\": {}",
                 engine::to_string(precision), y, dx, dw, ms, ok));
    }
  }
  engine::set_precision(Precision::fp32);
  return failures;
}

}  // namespace sagcl::gpu
