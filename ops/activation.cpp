#include "ops/activation.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;

namespace {

/// All four derivatives can be had from y alone (y > 0 exactly where x > 0), so only y is kept.
Variable activate(const char* op, Unary f, double a, const Variable& x) {
  const engine::OperationName name(op);
  checks::defined(op, "x", x);
  const bool by_sign = f == Unary::relu || f == Unary::leaky_relu;  // of y, which no rounding changes
  (by_sign ? checks::activation : checks::floating)(op, x.value());
  Tensor y = Tensor::empty_like(x.value());
  backend(y.device()).unary(f, a, x.value(), y);
  return record(op, {x}, y, [f, a, y](Tensor dy) -> Gradients {
    Tensor dx = checks::reuse(dy);
    backend(y.device()).unary_backward(f, a, y, y, dy, dx);
    return {dx};
  });
}

}  // namespace

Variable relu(const Variable& x) { return activate("relu", Unary::relu, 0, x); }

Variable leaky_relu(const Variable& x, double slope) {
  engine::require<engine::UsageError>(slope >= 0, "leaky_relu: the slope must not be negative, got {}", slope);
  return activate("leaky_relu", Unary::leaky_relu, slope, x);
}

Variable sigmoid(const Variable& x) { return activate("sigmoid", Unary::sigmoid, 0, x); }
Variable tanh(const Variable& x) { return activate("tanh", Unary::tanh, 0, x); }

}  // namespace sagcl::ops
