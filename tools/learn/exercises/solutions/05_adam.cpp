#include <cmath>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

double adam_step(AdamState& s, double p, double g, double lr) {
  ++s.t;
  s.m = 0.9 * s.m + 0.1 * g;
  s.v = 0.999 * s.v + 0.001 * g * g;
  const double mean = s.m / (1 - std::pow(0.9, s.t)), square = s.v / (1 - std::pow(0.999, s.t));
  return p - lr * mean / (std::sqrt(square) + 1e-8);
}

}  // namespace sagcl::exercises
