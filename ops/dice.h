#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Tensor;
using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64, ShapeError where labels or y do not
// cover p, UsageError for a label outside (on the CPU), a first channel outside or a negative smooth.

/// Soft Dice loss, the mean over channels of 1 − (2 Σ p y + s) / (denominator + s), sums over the whole batch.
struct DiceSpec {
  bool squared = true;             ///< denominator Σ p² + Σ y² ("D2"), else Σ p + Σ y ("D1")
  double smooth = 1e-5;            ///< s
  std::int64_t first_channel = 0;  ///< 1 leaves the background out
};

/// p [.., C] probabilities, labels i32 [..] (−1: voxel not counted).
Variable dice_loss(const Variable& p, const Tensor& labels, const DiceSpec& spec = {});
/// The same against soft targets y [.., C], which are constant.
Variable dice_loss_soft(const Variable& p, const Tensor& y, const DiceSpec& spec = {});

}  // namespace sagcl::ops
