// Exercise 4. What is asked for stands in exercises.h; the lesson is docs/learn/04-convolution.md.
#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

std::array<Counted, 2> four_products(const std::array<Counted, 4>& /*d*/, const std::array<Counted, 3>& /*g*/) {
  // your turn
  return {};
}

}  // namespace sagcl::exercises
