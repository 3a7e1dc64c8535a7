#include <cmath>
#include <cstddef>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

NormGradients batch_norm_backward(const Numbers& x, const Numbers& dy, double gamma, double eps) {
  const double n = double(x.size());
  double mean = 0, variance = 0;
  for (double v : x) mean += v / n;
  for (double v : x) variance += (v - mean) * (v - mean) / n;
  const double s = std::sqrt(variance + eps);
  NormGradients d;
  for (std::size_t i = 0; i < x.size(); ++i) d.dbeta += dy[i], d.dgamma += dy[i] * (x[i] - mean) / s;
  for (std::size_t i = 0; i < x.size(); ++i)
    d.dx.push_back(gamma / s * (dy[i] - d.dbeta / n - (x[i] - mean) / s * d.dgamma / n));
  return d;
}

}  // namespace sagcl::exercises
