#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "datasets/augment.h"
#include "tests/datasets/augment_support.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::Generator;

TEST(Strong, NothingByDefault) {
  Generator g(0, "intensity");
  const Tensor x = counting({2, 2, 2, 3});
  EXPECT_EQ(strengthen(x, {}, g).to_doubles(), x.to_doubles());
}

TEST(Strong, EachStepByHand) {
  const Tensor x = Tensor::of<float>({1, 1, 3, 1}, {0, 1, 4});
  Generator g(0, "intensity");
  EXPECT_EQ(strengthen(x, {.gain = {2, 2}, .offset = {1, 1}}, g).to_doubles(), (std::vector<double>{1, 3, 9}));
  // gamma 2 on the range 0..4: 4 (x / 4)^2
  const std::vector<double> squared =
      strengthen(x, {.gamma_probability = 1, .log_gamma = {std::log(2), std::log(2)}}, g).to_doubles();
  EXPECT_NEAR(squared[1], 0.25, 1e-6);
  EXPECT_NEAR(squared[2], 4, 1e-5);
  const Tensor rgb = Tensor::of<float>({1, 1, 2, 3}, {0, 3, 6, 2, 3, 4});
  EXPECT_EQ(strengthen(rgb, {.grey_probability = 1, .grey = {1, 1}}, g).to_doubles(), std::vector<double>(6, 3));
  // about the channel means 1, 3, 5: (x - m) / 2 + 2 m
  EXPECT_EQ(strengthen(rgb, {.gain = {.5, .5}, .about_mean = true, .channel_gain = {2, 2}}, g).to_doubles(),
            (std::vector<double>{1.5, 6, 10.5, 2.5, 6, 9.5}));
  EXPECT_EQ(strengthen(x, {.clamp_to_unit = true}, g).to_doubles(), (std::vector<double>{0, 1, 1}));
}

/// Against SciPy's gaussian_filter(mode="nearest", truncate=3), and NumPy's interp of the nearest voxels.
TEST(Strong, BlurAndLowResolutionAsScipy) {
  Generator g(0, "intensity");
  const std::vector<double> blurred = {29.6715, 43.9983, 45.9543, 35.9611, 51.744,  51.3519, 45.6634, 42.2484,
                                       65.8678, 52.7006, 42.0689, 30.8677, 45.3223, 49.0494, 43.8511, 46.786,
                                       55.9422, 49.8266, 46.999,  55.8914, 54.0246, 48.5654, 39.1613, 41.6926};
  const std::vector<double> coarse = {0.0,     26.4286, 68.7143, 60.5,    45.0714, 29.6429, 20.0,    5.2,     31.6286,
                                      73.9143, 65.7,    50.2714, 34.8429, 25.2,    13.0,    39.4286, 81.7143, 73.5,
                                      58.0714, 42.6429, 33.0,    20.8,    47.2286, 89.5143, 81.3,    65.8714, 50.4429,
                                      40.8,    26.0,    52.4286, 94.7143, 86.5,    71.0714, 55.6429, 46.0};
  const auto expect = [&](const Shape& shape, const StrongSpec& spec, const std::vector<double>& wanted) {
    for (const std::int64_t channels : {1, 2}) {
      Tensor x = Tensor::empty({shape[0], shape[1], shape[2], channels});
      const Tensor one = scattered(shape);
      for (std::int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = one.data<float>()[i / channels];
      const std::vector<double> y = strengthen(x, spec, g).to_doubles();
      for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], wanted[i / std::size_t(channels)], 1e-4) << i;
    }
  };
  expect({2, 3, 4}, {.blur_probability = 1, .blur = {.8, .8}}, blurred);
  expect({1, 5, 7}, {.low_resolution_probability = 1, .low_resolution = {.6, .6}}, coarse);
  expect({1, 5, 7}, {.low_resolution_probability = 1}, scattered({1, 5, 7}).to_doubles());  // a zoom of 1
}

/// What full() adds is drawn as often as it says: how many crops keep their single bright voxel.
TEST(Strong, FullBlursAFifthAndCoarsensAQuarter) {
  Tensor x = Tensor::zeros({1, 9, 9, 1});
  x.data<float>()[40] = 1;
  const StrongSpec spec = StrongSpec{}.full();
  EXPECT_TRUE(spec.about_mean);
  int unchanged = 0;
  const int n = 4000;
  for (std::uint64_t i = 0; i < n; ++i) {
    Generator g(3, "intensity", i);
    unchanged += strengthen(x, spec, g).to_doubles() == x.to_doubles();
  }
  EXPECT_NEAR(unchanged, n * (.8 * (.75 + .25 / 9)), 155);  // a ninth of the zooms keeps nine voxels; five deviations
}

/// The presets' distributions: gain, offset and noise of volumes as measured on constant crops.
TEST(Strong, RangesOfVolumes) {
  double low = 10, high = -10, deviation_high = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    Generator g(3, "intensity", i);
    const std::vector<double> v = strengthen(Tensor::full({4, 5, 5, 1}, 1), StrongSpec::volumes(), g).to_doubles();
    double mean = 0, squares = 0;
    for (double x : v) mean += x / 100;
    for (double x : v) squares += (x - mean) * (x - mean) / 100;
    low = std::min(low, mean), high = std::max(high, mean), deviation_high = std::max(deviation_high, std::sqrt(squares));
  }
  EXPECT_NEAR(low, 0.4, 0.1);   // .7 - .3
  EXPECT_NEAR(high, 1.6, 0.1);  // 1.3 + .3
  EXPECT_NEAR(deviation_high, 0.15, 0.035);
}

/// Noise of standard deviation 1: mean 0, variance 1, fourth moment 3, and neighbours that do not depend on each other.
TEST(Strong, NoiseIsNormal) {
  Generator g(11, "intensity");
  const std::int64_t n = 400'002;  // no multiple of four
  const Tensor x = strengthen(Tensor::zeros({1, 1, n, 1}), {.noise = {1, 1}}, g);
  const float* p = x.data<float>();
  double mean = 0, second = 0, fourth = 0, neighbours = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double v = double(p[i]);
    mean += v / double(n), second += v * v / double(n), fourth += v * v * v * v / double(n);
    if (i > 0) neighbours += v * double(p[i - 1]) / double(n);
  }
  EXPECT_NEAR(mean, 0, 0.008);
  EXPECT_NEAR(second, 1, 0.011);
  EXPECT_NEAR(fourth, 3, 0.08);
  EXPECT_NEAR(neighbours, 0, 0.008);
}

TEST(Strong, ColoursStayInRangeAndRepeat) {
  for (std::uint64_t i = 0; i < 50; ++i) {
    Generator a(3, "intensity", i), b(3, "intensity", i);
    Tensor x = Tensor::empty({1, 6, 6, 3});
    for (std::int64_t k = 0; k < x.size(); ++k) x.data<float>()[k] = float(k % 11) / 10;
    const std::vector<double> v = strengthen(x, StrongSpec::colours(), a).to_doubles();
    EXPECT_EQ(v, strengthen(x, StrongSpec::colours(), b).to_doubles());
    for (double y : v) EXPECT_TRUE(y >= 0 && y <= 1);
  }
}

}  // namespace
}  // namespace sagcl::tests
