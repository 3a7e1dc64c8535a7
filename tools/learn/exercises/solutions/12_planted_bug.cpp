#include <algorithm>
#include <cmath>
#include <cstddef>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

std::optional<std::string> guilty(const std::vector<Suspect>& operations, const Numbers& x) {
  const double h = 1e-5;
  for (const Suspect& op : operations) {
    Numbers dy = op.value(x);
    for (std::size_t j = 0; j < dy.size(); ++j) dy[j] = std::cos(1.0 + double(j));  // weights that are all different
    const auto loss = [&](Numbers at, std::size_t i, double move) {
      at[i] += move;
      const Numbers y = op.value(at);
      double sum = 0;
      for (std::size_t j = 0; j < y.size(); ++j) sum += dy[j] * y[j];
      return sum;
    };
    const Numbers dx = op.backward(x, dy);
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double quotient = (loss(x, i, h) - loss(x, i, -h)) / (2 * h);
      largest = std::max(largest, std::abs(quotient)), difference = std::max(difference, std::abs(quotient - dx[i]));
    }
    if (difference > 1e-5 * largest) return op.name;
  }
  return "";
}

}  // namespace sagcl::exercises
