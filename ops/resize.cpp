#include "ops/resize.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::Tensor;

Variable resize(const Variable& x, const ResizeSpec& spec) {
  const engine::OperationName name("resize");
  checks::defined("resize", "x", x);
  checks::activation("resize", x.value());
  checks::rank("resize", "x", x.value(), 5, "[N, D, H, W, C]");
  ResizeGeometry g{x.shape()[0],      x.shape()[4], {}, spec.out, spec.interpolation == Interpolation::linear,
                   spec.align_corners};
  for (int a = 0; a < 3; ++a) {
    g.in[a] = x.shape()[a + 1];
    engine::require(g.in[a] >= 1 && g.out[a] >= 1, "resize: from shape {} to {}; every extent must be at least 1", x.shape(),
                    to_string(spec.out));
  }
  Tensor y = Tensor::empty({g.N, g.out[0], g.out[1], g.out[2], g.C}, x.value().dtype(), x.value().device());
  backend(y.device()).resize(g, x.value(), y);
  return record({"resize", spec}, {x}, y, [g, shape = x.shape()](Tensor dy) -> Gradients {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    backend(dy.device()).resize_backward(g, dy, dx);
    return {dx};
  });
}

}  // namespace sagcl::ops
