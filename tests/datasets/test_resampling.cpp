#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "datasets/resampling.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::Extents;
using Floats = std::vector<float>;

constexpr std::array linear = {Interpolation::linear, Interpolation::linear, Interpolation::linear};
constexpr std::array cubic = {Interpolation::cubic, Interpolation::cubic, Interpolation::cubic};

Tensor line(const Floats& values) { return Tensor::of<float>({std::int64_t(values.size()), 1, 1, 1}, values); }
Floats along_d(const Floats& values, std::int64_t n, const std::array<Interpolation, 3>& how) {
  return resampled(line(values), {{n, 1, 1}}, how).to_vector<float>();
}
void expect_near(const Floats& a, const Floats& b, float tolerance = 2e-6f) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

TEST(Resampling, Extents) {
  EXPECT_EQ(extents_at({{10, 100, 80}}, {5, 1, 1}, {2.5, 2, 0}), (Extents{{20, 50, 80}}));
  EXPECT_EQ(extents_at({{1, 3, 3}}, {1, 1, 1}, {9, 0.9, 2}), (Extents{{1, 3, 2}}));  // 0.11, 3.33, 1.5
  EXPECT_THROW(extents_at({{4, 4, 4}}, {0, 1, 1}, {1, 1, 1}), engine::UsageError);
}

/// The outer faces stay: of two voxels 0 and 1 four lie at −¼, ¼, ¾ and 1¼, the outermost cut off at the centres.
TEST(Resampling, LinearByHand) {
  expect_near(along_d({0, 1}, 4, linear), {0, 0.25f, 0.75f, 1});
  expect_near(along_d({0, 1, 2, 3}, 2, linear), {0.5f, 2.5f});
  expect_near(along_d({7}, 3, linear), {7, 7, 7});
  const Tensor two = Tensor::of<float>({1, 2, 2, 2}, Floats{0, 10, 1, 11, 2, 12, 3, 13});  // two channels
  EXPECT_EQ(resampled(two, {{1, 1, 1}}, linear).to_vector<float>(), (Floats{1.5f, 11.5f}));
  EXPECT_EQ(resampled(two, {{1, 2, 2}}, cubic).to_vector<float>(), two.to_vector<float>());  // untouched
}

/// scipy.ndimage.map_coordinates(x, [clip((arange(n) + .5) * s / n - .5, 0, s - 1)], order=3, mode="mirror") of SciPy 1.17.
TEST(Resampling, CubicAsSciPy) {
  const Floats x = {2, -1, 0.5f, 4, 3, -2, 1};
  expect_near(along_d(x, 10, cubic),
              {2.0f, 0.5553298f, -1.228606f, 0.3165904f, 2.985525f, 4.439338f, 2.739422f, -1.416707f, -0.7588048f, 1.0f});
  expect_near(along_d(x, 4, cubic), {1.231295f, 0.9759916f, 3.549985f, 0.02847055f});
  const Floats thrice = along_d(x, 21, cubic);  // the curve goes through the voxels
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(thrice[3 * i + 1], x[i], 1e-6);
  Floats longer;  // longer than the filter remembers
  for (int i = 0; i < 40; ++i) longer.push_back(float(std::sin(double(i) * i)));
  expect_near(along_d(longer, 9, cubic),
              {-0.4325267f, -1.14046f, 0.6399126f, -1.01658f, -0.4084569f, -0.8467116f, -1.250756f, 0.8529882f, -1.029925f});
  expect_near(along_d({7}, 3, cubic), {7, 7, 7});
  expect_near(along_d({1, 2}, 2, cubic), {1, 2});
}

TEST(Resampling, AxesAreTreatedAlike) {
  Tensor cube = Tensor::empty({5, 6, 7, 1});
  for (std::int64_t i = 0; i < cube.size(); ++i) cube.data<float>()[i] = float(std::sin(double(i)));
  const auto value = [](const Tensor& t, std::int64_t d, std::int64_t h, std::int64_t w) {
    return t.data<float>()[(d * t.shape()[1] + h) * t.shape()[2] + w];
  };
  Tensor turned = Tensor::empty({7, 5, 6, 1});  // axes W, D, H
  for (std::int64_t d = 0; d < 5; ++d)
    for (std::int64_t h = 0; h < 6; ++h)
      for (std::int64_t w = 0; w < 7; ++w) turned.data<float>()[(w * 5 + d) * 6 + h] = value(cube, d, h, w);
  for (const auto& how : {linear, cubic}) {
    const Tensor a = resampled(cube, {{8, 4, 9}}, how), b = resampled(turned, {{9, 8, 4}}, how);
    for (std::int64_t d = 0; d < 8; ++d)
      for (std::int64_t h = 0; h < 4; ++h)
        for (std::int64_t w = 0; w < 9; ++w) EXPECT_NEAR(value(a, d, h, w), b.data<float>()[(w * 8 + d) * 4 + h], 1e-6);
  }
}

/// Classes are not numbers: between 1 and 3 lies no 2. The border moves to where both memberships are a half.
TEST(Resampling, LabelsByMembership) {
  const Tensor label = Tensor::of<std::uint8_t>({4, 1, 1}, std::vector<std::uint8_t>{1, 3, 3, not_annotated});
  EXPECT_EQ(resampled_label(label, {{8, 1, 1}}).to_vector<std::uint8_t>(),
            (std::vector<std::uint8_t>{1, 1, 3, 3, 3, 3, not_annotated, not_annotated}));
  EXPECT_EQ(resampled_label(label, {{2, 1, 1}}).to_vector<std::uint8_t>(), (std::vector<std::uint8_t>{1, 3}));  // ties
  EXPECT_EQ(resampled_label(label, {{4, 1, 1}}).to_vector<std::uint8_t>(), label.to_vector<std::uint8_t>());
}

TEST(Resampling, PlaneByPlaneAsTheWhole) {
  Tensor volume = Tensor::empty({5, 3, 4, 2});
  for (std::int64_t i = 0; i < volume.size(); ++i) volume.data<float>()[i] = float(std::cos(double(i)));
  for (const std::int64_t planes : {1, 3, 5, 13})
    for (const std::int64_t at_once : {1, 2, 5}) {
      Floats seen;
      PlaneResampling streamed(5, {{planes, 6, 2}}, [&](const Tensor& p) {
        EXPECT_EQ(p.shape(), engine::Shape({1, 6, 2, 2}));
        const Floats values = p.to_vector<float>();
        seen.insert(seen.end(), values.begin(), values.end());
      });
      for (std::int64_t d = 0; d < 5; d += at_once) {
        const std::int64_t n = std::min(at_once, 5 - d);
        Tensor part = Tensor::empty({n, 3, 4, 2});
        std::copy_n(volume.data<float>() + d * 24, n * 24, part.data<float>());
        streamed.add(part);
      }
      expect_near(seen, resampled(volume, {{planes, 6, 2}}, linear).to_vector<float>());
    }
}

}  // namespace
}  // namespace sagcl::tests
