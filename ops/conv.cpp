#include "ops/conv.h"

#include "engine/operation_name.h"
#include "engine/work.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::recording;
using autograd::Saved;
using autograd::Shape;
using autograd::Tensor;

namespace {

void check(const char* op, const Variable& x, const Variable& w, const Variable& b, const ConvSpec& spec, int x_channels,
           int y_channels, const char* weight_axes) {
  checks::defined(op, "x", x);
  checks::defined(op, "w", w);
  checks::activation(op, x.value());
  checks::rank(op, "x", x.value(), 5, "[N, D, H, W, C]");
  checks::rank(op, "w", w.value(), 5, weight_axes);
  checks::parameter_of(op, x.value(), "w", w.value());
  engine::require(x.shape()[4] == w.shape()[x_channels], "{}: x {} has {} channels, w {} expects {}", op, x.shape(),
                  x.shape()[4], w.shape(), w.shape()[x_channels]);
  if (b.defined()) {
    engine::require(b.shape() == Shape{w.shape()[y_channels]}, "{}: b should be [{}] for w {}, got shape {}", op,
                    w.shape()[y_channels], w.shape(), b.shape());
    checks::parameter_of(op, x.value(), "b", b.value());
  }
  for (int a = 0; a < 3; ++a)
    engine::require(spec.stride[a] >= 1 && spec.padding[a] >= 0 && w.shape()[a + 1] >= 1,
                    "{}: stride {} must be at least 1, padding {} at least 0, kernel {} at least 1", op,
                    to_string(spec.stride), to_string(spec.padding), w.shape());
}

Shape shape(std::int64_t N, const Extents& e, std::int64_t channels) { return {N, e[0], e[1], e[2], channels}; }

/// Of one of the three products that a convolution is, forward or backward, by its definition.
void count_work(const ConvGeometry& g) {
  engine::count_work(2.0 * double(g.N) * double(g.out.volume()) * double(g.kernel.volume()) * double(g.C) * double(g.O));
}

/// One of the products of a backward: a range of its own to listeners, and its work.
struct Product {
  Product(const char* name, const ConvGeometry& g) : range(name) { count_work(g); }
  engine::Range range;
};

/// Σ over images and voxels of dy [N, .., C]: the gradient of a bias.
Tensor bias_gradient(const Tensor& dy, const ConvSpec& spec) {
  const engine::Range range("bias gradient");
  const std::int64_t channels = dy.shape()[4];
  const engine::Dtype dtype = computed_in(dy.dtype());
  if (spec.norm_follows) return Tensor::zeros({channels}, dtype, dy.device());
  Tensor db = Tensor::empty({channels}, dtype, dy.device());
  backend(dy.device()).sum(dy, {1, channels ? dy.size() / channels : 0, channels}, 1, db);
  return db;
}

/// The backward of both operations; `transposed`: our x is what the convolution makes, our y what it reads.
autograd::Backward backward_of(const ConvGeometry& g, const ConvSpec& spec, bool transposed, const Variable& x,
                               const Variable& w, const Variable& b) {
  return [g, spec, transposed, x_shape = x.shape(), w_shape = w.shape(), x = recording(w) ? x.saved_activation() : Saved(),
          w = recording(x) ? w.value() : Tensor(), want_db = recording(b)](Tensor dy) -> Gradients {
    Backend& device = backend(dy.device());
    Tensor dx, dw, db;
    if (want_db) db = bias_gradient(dy, spec);
    if (x.defined()) {
      const Tensor again = x.get();
      const Product product("weight gradient", g);
      dw = Tensor::empty(w_shape, computed_in(dy.dtype()), dy.device());
      device.conv_backward_weight(g, transposed ? dy : again, transposed ? again : dy, dw);
    }
    if (w.defined()) {
      const Product product("data gradient", g);
      dx = Tensor::empty(x_shape, dy.dtype(), dy.device());
      if (transposed) device.conv_forward(g, dy, w, {}, dx);
      else device.conv_backward_data(g, w, dy, {}, dx);
    }
    return {dx, dw, db};
  };
}

}  // namespace

Variable conv(const Variable& x, const Variable& w, const Variable& b, const ConvSpec& spec) {
  const engine::OperationName name("conv");
  check("conv", x, w, b, spec, 4, 0, "[O, Kd, Kh, Kw, C]");
  ConvGeometry g{x.shape()[0], x.shape()[4], w.shape()[0], {}, {}, {}, spec.stride, spec.padding, spec.whole_depth};
  for (int a = 0; a < 3; ++a) {
    g.in[a] = x.shape()[a + 1];
    g.kernel[a] = w.shape()[a + 1];
    const std::int64_t room = g.in[a] + 2 * spec.padding[a] - g.kernel[a];
    engine::require(room >= 0, "conv: the kernel of w {} does not fit into x {} with padding {}", w.shape(), x.shape(),
                    to_string(spec.padding));
    g.out[a] = room / spec.stride[a] + 1;
  }
  Tensor y = Tensor::empty(shape(g.N, g.out, g.O), x.value().dtype(), x.value().device());
  backend(y.device()).conv_forward(g, x.value(), w.value(), b.value(), y);
  count_work(g);

  return record({"conv", spec}, {x, w, b}, y, backward_of(g, spec, /*transposed=*/false, x, w, b));
}

Variable conv_transposed(const Variable& x, const Variable& w, const Variable& b, const ConvSpec& spec) {
  const engine::OperationName name("conv_transposed");
  check("conv_transposed", x, w, b, spec, 0, 4, "[I, Kd, Kh, Kw, O]");
  // The convolution whose data gradient this is: it maps our y (its "in") to our x (its "out").
  ConvGeometry g{x.shape()[0], w.shape()[4], w.shape()[0], {}, {}, {}, spec.stride, spec.padding, spec.whole_depth};
  for (int a = 0; a < 3; ++a) {
    g.out[a] = x.shape()[a + 1];
    g.kernel[a] = w.shape()[a + 1];
    g.in[a] = (g.out[a] - 1) * spec.stride[a] - 2 * spec.padding[a] + g.kernel[a];
    engine::require(g.out[a] >= 1 && g.in[a] >= 1,
                    "conv_transposed: x {} with w {}, stride {} and padding {} leaves no output", x.shape(), w.shape(),
                    to_string(spec.stride), to_string(spec.padding));
  }
  Tensor y = Tensor::empty(shape(g.N, g.in, g.C), x.value().dtype(), x.value().device());
  backend(y.device()).conv_backward_data(g, w.value(), x.value(), b.value(), y);
  count_work(g);

  return record({"conv_transposed", spec}, {x, w, b}, y, backward_of(g, spec, /*transposed=*/true, x, w, b));
}

}  // namespace sagcl::ops
