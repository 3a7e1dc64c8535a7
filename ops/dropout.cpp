#include "ops/dropout.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::Tensor;

namespace {

Tensor masked(const DropoutSpec& spec, const Tensor& x, Tensor y) {
  backend(x.device()).dropout(spec, x, y);
  return y;
}

Variable compute(const char* op, const Variable& x, const DropoutSpec& spec) {
  const engine::OperationName name(op);
  checks::defined(op, "x", x);
  checks::activation(op, x.value());
  engine::require<engine::UsageError>(spec.p >= 0 && spec.p < 1, "{}: p must lie in [0, 1), got {}", op, spec.p);
  engine::require(!spec.per_channel || (x.shape().rank() >= 2 && x.value().size() > 0),
                  "{}: x should be [N, .., C] and not empty, got shape {}", op, x.shape());
  autograd::Recipe again;
  if (x.has_recipe())
    again = [spec, x = x.saved()] {
      const Tensor t = x.get();
      return masked(spec, t, t);
    };
  return record(
      op, {x}, masked(spec, x.value(), Tensor::empty_like(x.value())),
      [spec](Tensor dy) -> Gradients { return {masked(spec, dy, checks::reuse(dy))}; }, std::move(again));
}

}  // namespace

Variable dropout(const Variable& x, double p, engine::RandomKey key) { return compute("dropout", x, {p, key, false}); }
Variable channel_dropout(const Variable& x, double p, engine::RandomKey key) {
  return compute("channel_dropout", x, {p, key, true});
}

}  // namespace sagcl::ops
