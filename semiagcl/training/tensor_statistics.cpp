#include "semiagcl/training/tensor_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sagcl::semiagcl {

TensorStatistics statistics_of(const engine::Tensor& t) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  TensorStatistics s{.low = infinity, .high = -infinity};
  const std::vector<double> values = t.to_doubles();
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double v = values[i];
    if (std::isfinite(v)) {
      s.low = std::min(s.low, v), s.high = std::max(s.high, v), s.zeros += v == 0;
      sum += v, squares += v * v;
    } else if (s.not_finite++ == 0) {
      s.first_not_finite = std::int64_t(i);
    }
  }
  const double n = double(values.size()) - double(s.not_finite);
  if (n == 0) {
    s.low = s.high = s.mean = s.deviation = s.norm = none;
    return s;
  }
  s.mean = sum / n, s.norm = std::sqrt(squares);
  double apart = 0;
  for (const double v : values)
    if (std::isfinite(v)) apart += (v - s.mean) * (v - s.mean);
  s.deviation = std::sqrt(apart / n);
  return s;
}

}  // namespace sagcl::semiagcl
