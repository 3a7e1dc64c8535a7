#pragma once
#include <vector>

#include "ops/backend.h"

namespace sagcl::ops::cpu {

/// By partial sorting of a copy, f32 and f64: the same bits as the shared kernel, in half the time.
void quantiles(std::int64_t skip, const std::vector<double>& q, const Tensor& x, Tensor& y);

}  // namespace sagcl::ops::cpu
