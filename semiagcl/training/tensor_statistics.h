#pragma once
#include "engine/tensor.h"

namespace sagcl::semiagcl {

/// What a tensor holds, in numbers: of its finite elements, NaN where there are none.
struct TensorStatistics {
  double low = 0, high = 0, mean = 0, deviation = 0, norm = 0;
  std::int64_t zeros = 0;
  std::int64_t not_finite = 0, first_not_finite = -1;
};
TensorStatistics statistics_of(const engine::Tensor& t);

}  // namespace sagcl::semiagcl
