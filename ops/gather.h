#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Tensor;
using autograd::Variable;

/// y[m,…] = x[index[m],…]; x [N,…], index i32 [M], each in [0, N) (checked on the CPU: UsageError). An index may repeat.
Variable gather(const Variable& x, const Tensor& index);

/// Rows scaled to length one: y = x / max(|x|, eps), over the last axis.
Variable l2_normalise(const Variable& x, double eps = 1e-12);

}  // namespace sagcl::ops
