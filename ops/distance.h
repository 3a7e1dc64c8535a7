#pragma once
#include "autograd/tape.h"
#include "ops/specs.h"

namespace sagcl::ops {

using autograd::Tensor;
using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64 and alike, DeviceError unless on one
// device, ShapeError where ranks or extents do not fit, UsageError for a sigma2 that is not positive (on the CPU).

/// d[g,i,j] = Σ_k (a[g,i,k] − b[g,j,k])² or Σ_k |a − b|. a [G,N,D], b [G,M,D] -> [G,N,M]. At 0 the gradient of |.| is 0.
Variable pairwise_distance(const Variable& a, const Variable& b, Metric metric);

/// k[g,i,j] = exp(−d[g,i,j] / (2 σ²[g])). d [G,N,M], sigma2 [G] (constant, > 0).
Variable gaussian_kernel(const Variable& d, const Tensor& sigma2);

}  // namespace sagcl::ops
