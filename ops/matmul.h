#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64 and alike, DeviceError unless on one
// device, ShapeError where ranks, batches or inner extents differ.

struct MatmulSpec {
  bool transpose_a = false, transpose_b = false;
};

/// a [M,K] b [K,N] -> [M,N], or batched a [G,M,K] b [G,K,N] -> [G,M,N]; a transposed operand is stored [.., K,M] or [..,
/// N,K].
Variable matmul(const Variable& a, const Variable& b, const MatmulSpec& spec = {});

/// y = x wᵀ + b. x [R, I], w [O, I], b [O] or undefined -> y [R, O].
Variable linear(const Variable& x, const Variable& w, const Variable& b);

}  // namespace sagcl::ops
