#pragma once
#include "autograd/tape.h"
#include "ops/specs.h"

namespace sagcl::ops {

using autograd::Tensor;
using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64, ShapeError unless [G,N,M] (trace: N =
// M), BackendError naming a graph that holds NaN or infinity, UsageError for a negative tau.

/// ‖A‖_* = Σ singular values, per matrix: A [G,N,M] -> [G]. Gradient: the subgradient U Vᵀ of the singular values above
/// spec.drop times the largest; nothing is differentiated through the decomposition.
Variable nuclear_norm(const Variable& a, const NuclearNormSpec& spec = {});

/// tr A per matrix: A [G,N,N] -> [G].
Variable trace(const Variable& a);

/// Singular values, descending: A [G,N,M] -> [G, min(N,M)]; not differentiable.
Tensor singular_values(const Tensor& a);

/// Singular value soft-thresholding U max(S − tau, 0) Vᵀ, the proximal map of tau ‖·‖_*; not differentiable.
Tensor singular_value_threshold(const Tensor& a, double tau);

}  // namespace sagcl::ops
