#include "ops/softmax.h"

#include "engine/operation_name.h"
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
  engine::require(x.shape().rank() >= 1 && x.shape().back() >= 1, "{}: x needs a last axis to run over, got shape {}", op,
                  x.shape());
  Tensor y = Tensor::empty_like(x.value());
  backend(y.device()).softmax(logarithm, x.value(), y);
  return record(op, {x}, y, [logarithm, y](Tensor dy) -> Gradients {
    Tensor dx = checks::reuse(dy);
    backend(y.device()).softmax_backward(logarithm, y, dy, dx);
    return {dx};
  });
}

}  // namespace

Tensor most_likely(const Tensor& x, double least) {
  const engine::OperationName name("most_likely");
  checks::defined("most_likely", "x", Variable(x));
  checks::floating("most_likely", x);
  const engine::Shape& s = x.shape();
  engine::require(s.rank() >= 1 && s.back() >= 1, "most_likely: x needs a last axis to run over, got shape {}", s);
  Tensor labels = Tensor::empty(engine::Shape(std::span(s.begin(), s.end() - 1)), engine::Dtype::i32, x.device());
  backend(x.device()).most_likely(least, x, labels);
  return labels;
}

Variable softmax(const Variable& x) { return compute("softmax", false, x); }
Variable log_softmax(const Variable& x) { return compute("log_softmax", true, x); }

}  // namespace sagcl::ops
