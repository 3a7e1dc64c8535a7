#pragma once
#include <cmath>

#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64, ShapeError without a last axis.

Variable softmax(const Variable& x);      ///< over the last axis: e^x / Σ e^x, shifted by the maximum
Variable log_softmax(const Variable& x);  ///< over the last axis: x - log Σ e^x

/// The position of the largest value over the last axis, the first of equals: x [.., C] -> i32 [..]. -1 ("not counted" to
/// the losses) where that value is below `least`; no gradient.
engine::Tensor most_likely(const engine::Tensor& x, double least = -INFINITY);

}  // namespace sagcl::ops
