#include <algorithm>
#include <cstddef>
#include <utility>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

std::array<Plane, 2> paste_both_ways(const Plane& a, const Plane& b, const Box& box) {
  std::array<Plane, 2> mixed = {a, b};
  for (int h = box.top; h < box.top + box.height; ++h)
    for (int w = box.left; w < box.left + box.width; ++w) {
      const auto i = std::size_t(h * a.width + w);
      std::swap(mixed[0].values[i], mixed[1].values[i]);
    }
  return mixed;
}

void follow(Numbers& teacher, const Numbers& student, int step, double decay) {
  const double alpha = std::min(1 - 1 / (step + 1.0), decay);
  for (std::size_t i = 0; i < teacher.size(); ++i) teacher[i] = alpha * teacher[i] + (1 - alpha) * student[i];
}

}  // namespace sagcl::exercises
