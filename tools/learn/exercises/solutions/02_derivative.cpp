#include <cmath>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

std::vector<double> derivative(double w, double b, double x, double t) {
  const double p = std::tanh(w * x + b);
  const double dp = 2 * (p - t);
  const double dz = dp * (1 - p * p);
  return {dz * x, dz};
}

}  // namespace sagcl::exercises
