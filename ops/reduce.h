#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64, ShapeError for an axis that x does not
// have or the mean of nothing.

Variable sum(const Variable& x);                 ///< scalar []
Variable mean(const Variable& x);                ///< scalar []
Variable sum_axis(const Variable& x, int axis);  ///< that axis is removed; negative counts from the end
Variable mean_axis(const Variable& x, int axis);
/// x [N, D, H, W, C] -> [N, C], the mean over the volume.
Variable global_average_pool(const Variable& x);

}  // namespace sagcl::ops
