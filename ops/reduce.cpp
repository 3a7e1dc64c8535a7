#include "ops/reduce.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::Shape;
using autograd::Tensor;

namespace {

/// y = factor · Σ over the middle of x seen as [outer, reduced, inner].
Variable reduce(const char* op, const Variable& x, const Axes& axes, const Shape& y_shape, bool mean) {
  const engine::OperationName name(op);
  checks::floating(op, x.value());
  engine::require(!mean || axes.reduced > 0, "{}: the mean of nothing; x has shape {}", op, x.shape());
  const double factor = mean ? 1.0 / double(axes.reduced) : 1.0;
  Tensor y = Tensor::empty(y_shape, x.value().dtype(), x.value().device());
  backend(y.device()).sum(x.value(), axes, factor, y);
  return record(op, {x}, y, [axes, factor, shape = x.shape()](Tensor dy) -> Gradients {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    backend(dy.device()).expand(dy, axes, factor, dx);
    return {dx};
  });
}

Variable reduce_axis(const char* op, const Variable& x, int axis, bool mean) {
  checks::defined(op, "x", x);
  axis = checks::axis(op, x.value(), axis);
  Axes axes{1, x.shape()[axis], 1};
  std::vector<std::int64_t> rest;
  for (int a = 0; a < x.shape().rank(); ++a) {
    if (a == axis) continue;
    (a < axis ? axes.outer : axes.inner) *= x.shape()[a];
    rest.push_back(x.shape()[a]);
  }
  return reduce(op, x, axes, Shape(std::span<const std::int64_t>(rest)), mean);
}

}  // namespace

Variable sum(const Variable& x) {
  checks::defined("sum", "x", x);
  return reduce("sum", x, {1, x.value().size(), 1}, {}, false);
}

Variable mean(const Variable& x) {
  checks::defined("mean", "x", x);
  return reduce("mean", x, {1, x.value().size(), 1}, {}, true);
}

Variable sum_axis(const Variable& x, int axis) { return reduce_axis("sum_axis", x, axis, false); }
Variable mean_axis(const Variable& x, int axis) { return reduce_axis("mean_axis", x, axis, true); }

Variable global_average_pool(const Variable& x) {
  const char* op = "global_average_pool";
  checks::defined(op, "x", x);
  checks::rank(op, "x", x.value(), 5, "[N, D, H, W, C]");
  const Shape& s = x.shape();
  return reduce(op, x, {s[0], s[1] * s[2] * s[3], s[4]}, {s[0], s[4]}, true);
}

}  // namespace sagcl::ops
