#include <cstddef>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

Numbers dice_gradient(const Numbers& p, const Numbers& y) {
  double common = 0, both = 0;
  for (std::size_t i = 0; i < p.size(); ++i) common += p[i] * y[i], both += p[i] * p[i] + y[i] * y[i];
  Numbers dp;
  for (std::size_t i = 0; i < p.size(); ++i) dp.push_back(-2 * y[i] / both + 4 * common * p[i] / (both * both));
  return dp;
}

}  // namespace sagcl::exercises
