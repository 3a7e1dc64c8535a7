#include <cstddef>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

Numbers nuclear_norm_subgradient(const Decomposition& a, double drop) {
  Numbers w(a.n * a.n, 0.0);
  for (std::size_t k = 0; k < a.n; ++k) {
    if (a.s[k] <= drop * a.s[0]) continue;
    for (std::size_t i = 0; i < a.n; ++i)
      for (std::size_t j = 0; j < a.n; ++j) w[i * a.n + j] += a.u[i * a.n + k] * a.v[j * a.n + k];
  }
  return w;
}

}  // namespace sagcl::exercises
