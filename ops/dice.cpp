#include "ops/dice.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/labels.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using engine::require;

namespace {

/// Either y or labels is defined.
Variable dice(const Variable& p, const Tensor& y, const Tensor& labels, const DiceSpec& spec) {
  const Tensor& value = p.value();
  const std::int64_t channels = value.shape().back();
  require<engine::UsageError>(spec.first_channel >= 0 && spec.first_channel < channels,
                              "dice_loss: first_channel {} must lie in [0, {}) for p {}", spec.first_channel, channels,
                              value.shape());
  require<engine::UsageError>(spec.smooth >= 0, "dice_loss: smooth must not be negative, got {}", spec.smooth);
  Tensor sums = Tensor::empty({3, channels}, value.dtype(), value.device()),
         loss = Tensor::empty({}, value.dtype(), value.device());
  Backend& device = backend(value.device());
  device.dice_sums(spec.squared, value, y, labels, sums);
  device.dice_loss(spec.smooth, spec.first_channel, sums, loss);

  return record("dice_loss", {p}, loss, [saved = p.saved(), y, labels, sums, spec](Tensor dloss) -> Gradients {
    const Tensor probabilities = saved.get();
    Tensor coefficients = Tensor::empty({2, sums.shape().back()}, sums.dtype(), sums.device());
    Tensor dp = Tensor::empty_like(probabilities);
    backend(dp.device()).dice_coefficients(spec.smooth, spec.first_channel, sums, dloss, coefficients);
    backend(dp.device()).dice_backward(spec.squared, probabilities, y, labels, coefficients, dp);
    return {dp};
  });
}

}  // namespace

Variable dice_loss(const Variable& p, const Tensor& labels, const DiceSpec& spec) {
  const engine::OperationName name("dice_loss");
  checks::labels("dice_loss", p, labels);
  return dice(p, {}, labels, spec);
}

Variable dice_loss_soft(const Variable& p, const Tensor& y, const DiceSpec& spec) {
  const engine::OperationName name("dice_loss");
  checks::defined("dice_loss", "p", p);
  checks::floating("dice_loss", p.value());
  checks::same_shape("dice_loss", "p", p.value(), "y", y);
  checks::same_kind("dice_loss", "p", p.value(), "y", y);
  require(p.shape().rank() >= 1 && p.shape().back() >= 1, "dice_loss: p must be [.., C], got {}", p.shape());
  return dice(p, y, {}, spec);
}

}  // namespace sagcl::ops
