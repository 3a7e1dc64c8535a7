#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

std::array<Counted, 2> four_products(const std::array<Counted, 4>& d, const std::array<Counted, 3>& g) {
  const Counted m0 = (d[0] - d[2]) * g[0], m1 = (d[1] + d[2]) * (g[0] + g[1] + g[2]).half(),
                m2 = (d[2] - d[1]) * (g[0] - g[1] + g[2]).half(), m3 = (d[1] - d[3]) * g[2];
  return {m0 + m1 + m2, m1 - m2 - m3};
}

}  // namespace sagcl::exercises
