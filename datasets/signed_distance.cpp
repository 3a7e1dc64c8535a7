#include "datasets/signed_distance.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "datasets/distance_transform.h"

namespace sagcl::datasets {

namespace {

constexpr double voxels[3] = {1, 1, 1};

/// Squared distances of all voxels to the class (`inside`) or to all others, and their maximum.
struct Distances {
  Distances(std::span<const std::int32_t> label, const engine::Extents& size, std::int64_t k, bool inside) {
    std::vector<std::uint8_t> marked(label.size());
    for (std::size_t i = 0; i < label.size(); ++i) marked[i] = (label[i] == k) == inside;
    squared = squared_distance(marked, size, voxels);
    largest = *std::max_element(squared.begin(), squared.end());
  }
  double share(std::size_t i) const { return std::sqrt(squared[i] / largest); }
  std::vector<double> squared;
  double largest = 0;
};

}  // namespace

void signed_distances(std::span<const std::int32_t> label, const engine::Extents& size, std::int64_t classes, float* maps) {
  const std::size_t n = label.size(), stride = std::size_t(classes - 1);
  std::fill_n(maps, n * stride, 0.0f);
  for (std::int64_t k = 1; k < classes; ++k, ++maps) {
    const std::int64_t count = std::count(label.begin(), label.end(), std::int32_t(k));
    if (count == 0 || count == std::int64_t(n)) continue;
    const Distances to_class(label, size, k, true), to_others(label, size, k, false);
    for (std::size_t i = 0; i < n; ++i) {
      if (label[i] != k) maps[i * stride] = float(to_class.share(i));
      else if (to_others.squared[i] > 1) maps[i * stride] = float(-to_others.share(i));  // 1 on the inner boundary
    }
  }
}

}  // namespace sagcl::datasets
