#include "ops/pool.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::Shape;
using autograd::Tensor;

namespace {

PoolGeometry geometry(const char* op, const Variable& x, const PoolSpec& spec) {
  checks::defined(op, "x", x);
  checks::activation(op, x.value());
  checks::rank(op, "x", x.value(), 5, "[N, D, H, W, C]");
  PoolGeometry g{x.shape()[0], x.shape()[4], {}, {}, spec.window, spec.stride};
  for (int a = 0; a < 3; ++a) {
    g.in[a] = x.shape()[a + 1];
    engine::require(spec.window[a] >= 1 && spec.stride[a] >= 1,
                    "{}: window {} and stride {} must be at least 1 in every axis", op, to_string(spec.window),
                    to_string(spec.stride));
    engine::require(spec.window[a] <= g.in[a], "{}: the window {} does not fit into x of shape {}", op,
                    to_string(spec.window), x.shape());
    g.out[a] = (g.in[a] - spec.window[a]) / spec.stride[a] + 1;
  }
  return g;
}

Shape shape(const PoolGeometry& g, const Extents& e) { return {g.N, e[0], e[1], e[2], g.C}; }

}  // namespace

Variable max_pool(const Variable& x, const PoolSpec& spec) {
  const engine::OperationName name("max_pool");
  const PoolGeometry g = geometry("max_pool", x, spec);
  engine::require(g.window.volume() <= 255, "max_pool: the window {} holds {} voxels, at most 255 are supported",
                  to_string(g.window), g.window.volume());
  Tensor y = Tensor::empty(shape(g, g.out), x.value().dtype(), x.value().device());
  Tensor index = Tensor::empty(y.shape(), engine::Dtype::u8, y.device());
  backend(y.device()).max_pool(g, x.value(), y, index);
  return record({"max_pool", spec}, {x}, y, [g, index](Tensor dy) -> Gradients {
    Tensor dx = Tensor::empty(shape(g, g.in), dy.dtype(), dy.device());
    backend(dy.device()).max_pool_backward(g, index, dy, dx);
    return {dx};
  });
}

Variable average_pool(const Variable& x, const PoolSpec& spec) {
  const engine::OperationName name("average_pool");
  const PoolGeometry g = geometry("average_pool", x, spec);
  Tensor y = Tensor::empty(shape(g, g.out), x.value().dtype(), x.value().device());
  backend(y.device()).average_pool(g, x.value(), y);
  return record("average_pool", {x}, y, [g](Tensor dy) -> Gradients {
    Tensor dx = Tensor::empty(shape(g, g.in), dy.dtype(), dy.device());
    backend(dy.device()).average_pool_backward(g, dy, dx);
    return {dx};
  });
}

}  // namespace sagcl::ops
