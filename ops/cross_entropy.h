#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Tensor;
using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64, ShapeError where labels or q do not
// cover z, UsageError naming a label outside and its place (on the CPU; elsewhere reading it would wait for the
// device).

/// Mean cross-entropy over the labelled voxels: 1/M Σ_i (log Σ_c e^{z[i,c]} − z[i,t_i]), M voxels with t_i ≥ 0.
/// z [.., C] scores, labels i32 [..] in [0, C) or −1 = not counted. With nothing labelled the loss and gradient are 0.
Variable cross_entropy(const Variable& z, const Tensor& labels);

/// Mean over all voxels of −Σ_c q[i,c] log softmax(z)[i,c]; q [.., C] is a constant, e.g. a teacher's probabilities.
Variable soft_cross_entropy(const Variable& z, const Tensor& q);

}  // namespace sagcl::ops
