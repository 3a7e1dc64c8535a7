#include "datasets/resolution.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sagcl::datasets {

namespace {

/// Voxel i of an axis becomes the sum of voxels from[i count + k], each times its share, k < count.
struct Taps {
  std::int64_t count;
  std::vector<std::int64_t> from = {};
  std::vector<float> share = {};
};

/// Replaces x [size, channels] along one axis.
void apply(float* x, const engine::Extents& size, std::int64_t channels, int axis, const Taps& taps) {
  std::int64_t inner = channels;
  for (int a = axis + 1; a < 3; ++a) inner *= size[a];
  const std::int64_t n = size[axis], line = n * inner;
  std::vector<float> before(static_cast<std::size_t>(line));
  for (float* const end = x + size.volume() * channels; x != end; x += line) {
    std::copy_n(x, line, before.data());
    std::fill_n(x, line, 0.0f);
    std::size_t tap = 0;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t k = 0; k < taps.count; ++k, ++tap) {
        const float share = taps.share[tap];
        const float* const from = before.data() + taps.from[tap] * inner;
        float* const to = x + i * inner;
        for (std::int64_t j = 0; j < inner; ++j) to[j] += share * from[j];
      }
  }
}

}  // namespace

void blur(float* x, const engine::Extents& size, std::int64_t channels, double sigma) {
  const std::int64_t radius = std::llround(3 * sigma);
  std::vector<double> weight;
  double sum = 0;
  for (std::int64_t k = -radius; k <= radius; ++k)
    sum += weight.emplace_back(k == 0 ? 1 : std::exp(-double(k * k) / (2 * sigma * sigma)));
  for (int axis = 0; axis < 3; ++axis) {
    if (size[axis] == 1) continue;
    Taps taps{2 * radius + 1};
    for (std::int64_t i = 0; i < size[axis]; ++i)
      for (std::int64_t k = -radius; k <= radius; ++k) {
        taps.from.push_back(std::clamp<std::int64_t>(i + k, 0, size[axis] - 1));
        taps.share.push_back(float(weight[std::size_t(k + radius)] / sum));
      }
    apply(x, size, channels, axis, taps);
  }
}

void lower_resolution(float* x, const engine::Extents& size, std::int64_t channels, double zoom) {
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t n = size[axis], few = std::max<std::int64_t>(1, std::llround(zoom * double(n)));
    const auto nearest = [&](std::int64_t j) { return (2 * j + 1) * n / (2 * few); };  // to the centre of large voxel j
    Taps taps{2};
    for (std::int64_t i = 0; i < n; ++i) {
      const double at = std::clamp((double(i) + 0.5) * double(few) / double(n) - 0.5, 0.0, double(few - 1));
      const std::int64_t low = std::int64_t(at);
      for (const std::int64_t j : {low, std::min(low + 1, few - 1)}) taps.from.push_back(nearest(j));
      taps.share.push_back(float(1 - (at - double(low)))), taps.share.push_back(float(at - double(low)));
    }
    apply(x, size, channels, axis, taps);
  }
}

}  // namespace sagcl::datasets
