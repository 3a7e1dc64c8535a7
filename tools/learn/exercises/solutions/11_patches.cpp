#include <algorithm>
#include <cmath>
#include <cstddef>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

Numbers patch_entropies(const Plane& image, int rows, int columns) {
  const int height = image.height / rows, width = image.width / columns;
  Numbers entropy(std::size_t(rows * columns), 0.0);
  for (int h = 0; h < image.height; ++h)
    for (int w = 0; w < image.width; ++w) {
      const double v = image.values[std::size_t(h * image.width + w)];
      const double bits = -v * std::log(v) - (1 - v) * std::log(1 - v);
      entropy[std::size_t(h / height * columns + w / width)] += bits / (height * width);
    }
  return entropy;
}

std::vector<int> top_patches(const Numbers& score, const Numbers& confidence, double least, int n) {
  std::vector<int> patches;
  for (std::size_t p = 0; p < score.size(); ++p)
    if (confidence[p] >= least) patches.push_back(int(p));
  std::stable_sort(patches.begin(), patches.end(),
                   [&](int a, int b) { return score[std::size_t(a)] > score[std::size_t(b)]; });
  patches.resize(std::min(patches.size(), std::size_t(n)));
  return patches;
}

}  // namespace sagcl::exercises
