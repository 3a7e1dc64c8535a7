#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "datasets/distance_transform.h"
#include "datasets/signed_distance.h"
#include "engine/random.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

TEST(DistanceTransform, EqualsBruteForce) {
  engine::Generator random(3, "distance transform");
  for (int round = 0; round < 6; ++round) {
    const Extents size{{1 + random.integer(7), 1 + random.integer(9), 1 + random.integer(8)}};
    const double spacing[3] = {0.5 + random.uniform(), 0.5 + random.uniform(), 0.5 + random.uniform()};
    std::vector<std::uint8_t> marked(std::size_t(size.volume()));
    for (auto& m : marked) m = random.coin(0.08);
    const std::vector<double> d = squared_distance(marked, size, spacing);
    Extents p, q;
    for (std::int64_t i = 0; i < size.volume(); ++i) {
      double best = INFINITY;
      engine::split(i, size, p);
      for (std::int64_t j = 0; j < size.volume(); ++j) {
        if (!marked[std::size_t(j)]) continue;
        engine::split(j, size, q);
        double s = 0;
        for (int a = 0; a < 3; ++a) s += std::pow(spacing[a] * double(p[a] - q[a]), 2);
        best = std::min(best, s);
      }
      if (best == INFINITY) {
        EXPECT_EQ(d[std::size_t(i)], INFINITY);
      } else {
        EXPECT_NEAR(d[std::size_t(i)], best, 1e-12 * std::max(1.0, best));
      }
    }
  }
}

std::vector<float> maps_of(const std::vector<std::int32_t>& label, const Extents& size, std::int64_t classes) {
  std::vector<float> maps(label.size() * std::size_t(classes - 1), 7);
  signed_distances(label, size, classes, maps.data());
  return maps;
}

void expect_near(const std::vector<float>& maps, const std::vector<float>& wanted) {
  ASSERT_EQ(maps.size(), wanted.size());
  for (std::size_t i = 0; i < maps.size(); ++i) EXPECT_NEAR(maps[i], wanted[i], 2e-6) << i;
}

/// Of a row: outside 2, 1 voxels away, then the boundary, the inside, the boundary; beyond the crop there is nothing.
TEST(SignedDistance, ByHand) {
  expect_near(maps_of({0, 0, 1, 1, 1, 0}, {{1, 1, 6}}, 2), {1, 0.5f, 0, -1, 0, 0.5f});
  expect_near(maps_of({1, 1, 1, 1, -1, 0}, {{1, 1, 6}}, 2), {-1, -0.75f, -0.5f, 0, 0.5f, 1});
}

TEST(SignedDistance, WithoutABoundaryThereIsNothingToMeasure) {
  expect_near(maps_of({0, -1, 2, 0}, {{1, 2, 2}}, 2), {0, 0, 0, 0});  // nowhere
  expect_near(maps_of({1, 1, 1, 1}, {{1, 2, 2}}, 2), {0, 0, 0, 0});   // everywhere
}

/// Values by SciPy's distance_transform_edt and binary_erosion(border_value=1), as SASSNet's compute_sdf.
TEST(SignedDistance, OfClassesInAPlane) {
  const std::vector<std::int32_t> label = {0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 2, -1, 1, 1,
                                           1, 1, 2, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1,  0, -1};
  expect_near(maps_of(label, {{1, 5, 6}}, 4),
              {0.707107f,  0.946864f, 0, 0,          0.765641f, 0, -1,        0.58722f,  0, -1,        0.415227f, 0,
               0,          0.262613f, 0, 0.707107f,  0.185695f, 0, 0.707107f, 0.928477f, 0, 0,         0.742781f, 0,
               -1,         0.557086f, 0, -1,         0.371391f, 0, 0,         0.185695f, 0, 0.707107f, 0,         0,
               0.707107f,  0.928477f, 0, 0,          0.742781f, 0, -1,        0.557086f, 0, -1,        0.371391f, 0,
               0,          0.185695f, 0, 0.707107f,  0,         0, 0.707107f, 0.946864f, 0, 0,         0.765641f, 0,
               -0.707107f, 0.58722f,  0, -0.707107f, 0.415227f, 0, 0,         0.262613f, 0, 0.707107f, 0.185695f, 0,
               1,          1,         0, 0.707107f,  0.830455f, 0, 0,         0.669534f, 0, 0,         0.525226f, 0,
               0.707107f,  0.415227f, 0, 1,          0.371391f, 0});
}

TEST(SignedDistance, InAVolume) {
  const std::vector<std::int32_t> label = {-1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1,
                                           1,  1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1,
                                           1,  0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0};
  expect_near(
      maps_of(label, {{4, 4, 5}}, 2),
      {0.707107f, 0,         -0.666667f, -1,         -1,         0.707107f, 0,         -0.666667f, -1,         -1,
       0.707107f, 0,         -0.666667f, -1,         -1,         0.707107f, 0,         -0.666667f, -1,         -1,
       0.707107f, 0,         -0.666667f, -0.666667f, -0.666667f, 0.707107f, 0,         -0.666667f, -0.666667f, -0.666667f,
       0.707107f, 0,         -0.666667f, -0.666667f, -0.666667f, 0.707107f, 0,         -0.666667f, -0.666667f, -0.666667f,
       0.707107f, 0,         0,          0,          0,          0.707107f, 0,         0,          0,          0,
       0.707107f, 0,         0,          0,          0,          0.707107f, 0,         0,          0,          0,
       1,         0.707107f, 0.707107f,  0.707107f,  0.707107f,  1,         0.707107f, 0.707107f,  0.707107f,  0.707107f,
       1,         0.707107f, 0.707107f,  0.707107f,  0.707107f,  1,         0.707107f, 0.707107f,  0.707107f,  0.707107f});
}

}  // namespace
}  // namespace sagcl::tests
