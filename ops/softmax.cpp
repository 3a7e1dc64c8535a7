#include "ops/softmax.h"

#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::Tensor;

namespace {

Variable compute(const char* op, bool logarithm, const Variable& x) {
  const engine::OperationName name(op);
  checks::defined(op, "x", x);
  checks::floating(op, x.value());
  engine::require(x.shape().rank() >= 1 && x.shape().back() >= 1, "{}: x needs a last axis to run over, got shape {}", op, x.shape());
  Tensor y = Tensor::empty_like(x.value());
  backend(y.device()).softmax(logarithm, x.value(), y);
  return record(op, {x}, y, [logarithm, y](Tensor dy) -> Gradients {
    Tensor dx = checks::reuse(dy);
    backend(y.device()).softmax_backward(logarithm, y, dy, dx);
    return {dx};
  });
}

}  // namespace

Variable softmax(const Variable& x) { return compute("softmax", false, x); }
Variable log_softmax(const Variable& x) { return compute("log_softmax", true, x); }

}  // namespace sagcl::ops
