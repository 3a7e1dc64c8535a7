#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "datasets/interpolation.h"
#include "datasets/placement.h"
#include "tests/datasets/augment_support.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::Extents;
using engine::Generator;

TEST(Placement, CropFlipTurnByHand) {
  const Tensor x = counting({1, 2, 3, 1});  // 1 2 3 / 4 5 6
  const auto get = [&](const Placement& p, const Extents& crop) { return cut(x, crop, p).to_doubles(); };
  const Extents two{{1, 2, 2}};
  EXPECT_EQ(get({.start = {{0, 0, 1}}}, two), (std::vector<double>{2, 3, 5, 6}));
  EXPECT_EQ(get({.start = {{0, 0, 1}}, .flip = {false, false, true}}, two), (std::vector<double>{3, 2, 6, 5}));
  EXPECT_EQ(get({.start = {{0, 0, 1}}, .flip = {false, true, false}}, two), (std::vector<double>{5, 6, 2, 3}));
  EXPECT_EQ(get({.start = {{0, 0, 1}}, .quarter_turns = 1}, two), (std::vector<double>{3, 6, 2, 5}));  // counter-clockwise
  EXPECT_EQ(get({.start = {{0, 0, 1}}, .quarter_turns = 2}, two), (std::vector<double>{6, 5, 3, 2}));
  EXPECT_EQ(get({.start = {{0, 0, 1}}, .flip = {false, false, true}, .quarter_turns = 1}, two),
            (std::vector<double>{6, 3, 5, 2}));
}

/// A volume smaller than the crop is padded with zeros, the smaller half before.
TEST(Placement, Padding) {
  const Tensor x = counting({1, 1, 2, 1});
  EXPECT_EQ(cut(x, {{1, 1, 5}}, {.start = {{0, 0, 0}}}).to_doubles(), (std::vector<double>{0, 1, 2, 0, 0}));
  EXPECT_EQ(cut(x, {{3, 1, 2}}, {.start = {{0, 0, 0}}}).to_doubles(), (std::vector<double>{0, 0, 1, 2, 0, 0}));
}

TEST(Placement, LabelsFollowTheirImage) {
  const Tensor image = counting({3, 4, 5, 1});
  Tensor label = Tensor::empty({3, 4, 5}, engine::Dtype::u8);
  for (std::int64_t i = 0; i < 60; ++i) label.data<std::uint8_t>()[i] = std::uint8_t(i + 1);
  const WeakSpec spec{.crop = {{2, 6, 6}}, .flip = {true, true, true}, .quarter_turns = true};
  for (std::uint64_t step = 0; step < 50; ++step) {
    Generator g(5, "crop", step);
    const Placement p = draw_placement(spec, {{3, 4, 5}}, g);
    EXPECT_EQ(cut(image, spec.crop, p).to_doubles(), cut(label, spec.crop, p).to_doubles());
  }
}

TEST(Placement, EveryPlaceFlipAndTurnOccursEquallyOften) {
  const WeakSpec spec{.crop = {{1, 2, 2}}, .flip = {false, false, true}, .quarter_turns = true};
  std::map<std::array<std::int64_t, 4>, int> seen;
  const int n = 12000;
  for (int i = 0; i < n; ++i) {
    Generator g(1, "crop", std::uint64_t(i));
    const Placement p = draw_placement(spec, {{1, 2, 4}}, g);
    EXPECT_FALSE(p.flip[0] || p.flip[1]);
    ++seen[{p.start[1], p.start[2], p.flip[2], p.quarter_turns}];
  }
  EXPECT_EQ(seen.size(), 1u * 3 * 2 * 4);
  for (const auto& [key, count] : seen) EXPECT_NEAR(count, n / 24.0, 5 * std::sqrt(n / 24.0));  // five standard deviations
}

/// The angles are not exact: a neighbour of a voxel may have a share of 1e-16.
void expect_close(const Tensor& a, const Tensor& b, double tolerance = 1e-12) {
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  ASSERT_EQ(x.size(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], tolerance) << i;
}

TEST(Placement, FreeTurnsByMultiplesOf90AreQuarterTurns) {
  for (const Extents crop : {Extents{{2, 4, 4}}, Extents{{2, 3, 3}}}) {
    const Tensor image = scattered({2, 4, 5, 2});
    for (int k = 1; k < 4; ++k) {
      const Placement quarter{.start = {{0, 0, 1}}, .quarter_turns = k},
          turn{.start = {{0, 0, 1}}, .turn = {90.0 * k, 0, 0}};
      expect_close(cut(image, crop, turn), cut(image, crop, quarter));
    }
  }
}

const Extents origin{{0, 0, 0}};

TEST(Placement, OppositeFreeTurnsAndMirrorsAgree) {
  const Tensor image = scattered({5, 5, 5, 1});
  const Extents whole{{5, 5, 5}};
  const auto get = [&](const Placement& p) { return cut(image, whole, p); };
  expect_close(get({.start = origin, .turn = {0, 180, 0}}), get({.start = origin, .flip = {true, false, true}}));
  expect_close(get({.start = origin, .turn = {0, 0, 180}}), get({.start = origin, .flip = {true, true, false}}));
  // There and back: 90 degrees about an axis, then -90.
  for (std::size_t axis = 0; axis < 3; ++axis) {
    Placement there{.start = origin}, back = there;
    there.turn[axis] = 90, back.turn[axis] = -90;
    EXPECT_NE(get(there).to_doubles(), image.to_doubles());
    expect_close(cut(get(there), whole, back), image);
  }
  // On a ramp, which linear interpolation keeps, any turn is undone by its opposite, away from the border.
  Tensor ramp = Tensor::empty({1, 41, 41, 1});
  for (std::int64_t i = 0; i < 41 * 41; ++i) ramp.data<float>()[i] = std::floor(float(i) / 41) * 2 - float(i % 41);
  const Extents plane{{1, 41, 41}};
  const Tensor again = cut(cut(ramp, plane, {.start = origin, .turn = {33, 0, 0}, .scale = 1.25}), plane,
                           {.start = origin, .turn = {-33, 0, 0}, .scale = 1 / 1.25});
  for (std::int64_t h = 15; h < 26; ++h)
    for (std::int64_t w = 15; w < 26; ++w)
      EXPECT_NEAR(again.data<float>()[h * 41 + w], ramp.data<float>()[h * 41 + w], 1e-4);
}

TEST(Placement, ScaleByHand) {
  const Tensor row = Tensor::of<float>({1, 1, 5, 1}, {8, 16, 0, 4, 6});
  const Tensor classes = Tensor::of<float>({1, 1, 5}, {1, 2, 3, 255, 4}).to(engine::Dtype::u8);
  const auto get = [&](const Tensor& x, const Placement& p, std::int64_t width) {
    return cut(x, {{1, 1, width}}, p).to_doubles();
  };
  // Twice as large: the crop's voxels show 1, 1.5, 2, 2.5, 3. Half as large: -2, 0, 2, 4, 6.
  EXPECT_EQ(get(row, {.start = origin, .scale = 2}, 5), (std::vector<double>{16, 8, 0, 2, 4}));
  EXPECT_EQ(get(row, {.start = origin, .scale = .5}, 5), (std::vector<double>{8, 8, 0, 6, 6}));
  EXPECT_EQ(get(classes, {.start = origin, .scale = 2}, 5),
            (std::vector<double>{2, 3, 3, 255, 255}));  // not_annotated stays what it is
  EXPECT_EQ(get(classes, {.start = origin, .scale = .5}, 5), (std::vector<double>{1, 1, 3, 4, 4}));
  // A narrow crop reaches beyond its own borders, not beyond the volume's: 0, 2, 4 around the middle.
  EXPECT_EQ(get(row, {.start = {{0, 0, 1}}, .scale = .5}, 3), (std::vector<double>{8, 0, 6}));
  // Beyond the volume its border goes on: -.25, 1, 2.25.
  EXPECT_EQ(get(Tensor::of<float>({1, 1, 3, 1}, {8, 16, 4}), {.start = origin, .scale = .8}, 3),
            (std::vector<double>{8, 16, 4}));
}

/// Everything together, against SciPy's map_coordinates(order=1, mode="nearest") and rounding.
TEST(Placement, TurnedFlippedAndScaledAsScipy) {
  const Placement place{
      .start = {{1, 0, 1}}, .flip = {true, false, true}, .quarter_turns = 1, .turn = {20, -35, 50}, .scale = 1.25};
  const std::vector<double> linear = {48.0684, 47.5401, 49.7158, 51.8915, 60.2242, 33.1832, 30.0139, 32.1895,
                                      56.9254, 54.8198, 41.9854, 40.6399, 39.994,  47.4641, 60.1488, 54.1028,
                                      50.4678, 67.2178, 75.5658, 64.2636, 38.2492, 30.9496, 49.9613, 58.0395,
                                      53.8813, 50.9204, 55.5853, 35.6737, 47.1085, 59.4134, 60.9692, 37.5986};
  const std::vector<double> nearest = {62, 42, 42, 59, 93, 42, 5,  22, 56, 73, 22, 22, 40, 36, 53, 86,
                                       46, 79, 96, 59, 9,  9,  59, 76, 77, 26, 90, 39, 40, 57, 90, 70};
  const std::vector<double> image = cut(scattered({3, 4, 5, 1}), {{2, 4, 4}}, place).to_doubles();
  for (std::size_t i = 0; i < linear.size(); ++i) EXPECT_NEAR(image[i], linear[i], 1e-4) << i;
  EXPECT_EQ(cut(scattered({3, 4, 5}, engine::Dtype::u8), {{2, 4, 4}}, place).to_doubles(), nearest);
}

TEST(Interpolation, BeyondTheVolumeItsBorderGoesOn) {
  const std::vector<float> volume = {1, 2, 3, 4, 1e9f};  // the last lies behind the volume
  const std::vector<std::uint8_t> classes = {1, 2, 3, 4, 99};
  for (std::int64_t n = 1; n <= 4; ++n)
    for (const double at :
         {-7.0, -0.4, 0.0, std::nextafter(double(n - 1), 0), double(n - 1), double(n) - 0.6, double(n), 1e9}) {
      const double inside = std::clamp(at, 0.0, double(n - 1));
      float value = 0;
      std::uint8_t nearest = 0;
      sample_linear(volume.data(), {{1, 1, n}}, 1, {{.first = {0, 0, at}}, {{1, 1, 1}}}, &value);
      sample_nearest(classes.data(), {{1, 1, n}}, {{.first = {0, 0, at}}, {{1, 1, 1}}}, &nearest);
      EXPECT_NEAR(value, 1 + inside, 1e-6) << at << " of " << n;
      EXPECT_EQ(nearest, 1 + std::int64_t(inside + 0.5)) << at << " of " << n;
    }
}

/// 125 control points, moved alike: what is shown moves by as much, for image and label.
TEST(Placement, ControlPointsThatMoveAlikeMoveThePlace) {
  const Tensor image = scattered({8, 9, 10, 2}), label = image.part(0, {8, 9, 10}).to(engine::Dtype::u8);
  Placement bent{.start = {{1, 2, 3}}}, moved{.start = {{2, 1, 5}}};
  for (int i = 0; i < 125; ++i) bent.bend.insert(bent.bend.end(), {1, -1, 2});
  const Extents crop{{4, 5, 4}};
  expect_close(cut(image, crop, bent), cut(image, crop, moved), 1e-4);
  expect_close(cut(label, crop, bent), cut(label, crop, moved));
  bent.bend.assign(375, 0);
  expect_close(cut(image, crop, bent), cut(image, crop, {.start = {{1, 2, 3}}}), 1e-6);
}

/// Where a coordinate goes is where its voxel is shown: it grows along its axis everywhere, and by no more than is allowed.
TEST(Placement, DeformationsBendAndDoNotFold) {
  const Extents crop{{20, 40, 30}};
  std::array<Tensor, 3> coordinate;
  for (std::size_t a = 0; a < 3; ++a) {
    coordinate[a] = Tensor::empty({60, 120, 90, 1});
    for (std::int64_t i = 0; i < coordinate[a].size(); ++i) {
      Extents at;
      engine::split(i, {{60, 120, 90}}, at);
      coordinate[a].data<float>()[i] = float(at[int(a)]);
    }
  }
  double bent = 0, least = 1;
  for (int draw = 0; draw < 40; ++draw) {
    Generator random(5, "crop", std::uint64_t(draw));
    Placement place = draw_placement({.crop = crop, .elastic = 0.2, .free_share = 1}, {{60, 120, 90}}, random);
    ASSERT_EQ(place.bend.size(), 375u);
    place.start = {{20, 40, 30}};  // nothing reaches the border
    std::array<Tensor, 3> shown;
    for (std::size_t a = 0; a < 3; ++a) shown[a] = cut(coordinate[a], crop, place);
    const std::int64_t step[3] = {40 * 30, 30, 1};
    for (std::int64_t d = 0; d + 1 < 20; ++d)
      for (std::int64_t h = 0; h + 1 < 40; ++h)
        for (std::int64_t w = 0; w + 1 < 30; ++w) {
          const std::int64_t i = (d * 40 + h) * 30 + w;
          double j[3][3];  // difference quotients along the axes
          for (int a = 0; a < 3; ++a)
            for (int b = 0; b < 3; ++b)
              j[a][b] = shown[std::size_t(a)].data<float>()[i + step[b]] - shown[std::size_t(a)].data<float>()[i];
          const double volume = j[0][0] * (j[1][1] * j[2][2] - j[1][2] * j[2][1]) -
                                j[0][1] * (j[1][0] * j[2][2] - j[1][2] * j[2][0]) +
                                j[0][2] * (j[1][0] * j[2][1] - j[1][1] * j[2][0]);
          least = std::min(least, volume), bent = std::max(bent, std::abs(volume - 1));
        }
  }
  EXPECT_GT(least, 0);
  EXPECT_GT(bent, 0.5);  // and it is no small matter
}

TEST(Placement, DeformationsAreDrawnLast) {
  WeakSpec free{.crop = {{2, 10, 5}}, .turn = 20, .scale = 1.5, .free_share = 0.25}, elastic = free;
  elastic.elastic = 0.2;
  int n = 0;
  float most[3] = {0, 0, 0};
  for (int i = 0; i < 2000; ++i) {
    Generator a(1, "crop", std::uint64_t(i)), b = a;
    Placement p = draw_placement(elastic, {{4, 12, 6}}, a);
    n += !p.bend.empty();
    for (std::size_t k = 0; k < p.bend.size(); ++k) most[k % 3] = std::max(most[k % 3], std::abs(p.bend[k]));
    p.bend.clear();
    EXPECT_EQ(p, draw_placement(free, {{4, 12, 6}}, b));
  }
  EXPECT_NEAR(n, 500, 100);
  for (int a = 0; a < 3; ++a) EXPECT_NEAR(most[a], 0.2 * double(free.crop[a]) / 5, 1e-3);
  Generator random(1, "crop");
  elastic.crop[0] = 1, elastic.free_share = 1;
  const Placement flat = draw_placement(elastic, {{4, 12, 6}}, random);
  ASSERT_EQ(flat.bend.size(), 75u);
  for (std::size_t k = 0; k < 75; k += 3) EXPECT_EQ(flat.bend[k], 0);
}

TEST(Placement, FreeTurnsAndScalesAreDrawnLast) {
  const WeakSpec old{.crop = {{2, 3, 3}}, .flip = {true, true, true}, .quarter_turns = true};
  WeakSpec free = old, flat = old;
  free.turn = flat.turn = 30, free.scale = flat.scale = 1.5, free.free_share = flat.free_share = 0.25;
  flat.crop[0] = 1;
  int turned = 0, scaled = 0, both = 0;
  double largest = 0, smallest_scale = 1, largest_scale = 1, logarithms = 0;
  const int n = 8000;
  for (int i = 0; i < n; ++i) {
    Generator a(1, "crop", std::uint64_t(i)), b = a, c = a;
    Placement p = draw_placement(free, {{4, 5, 6}}, b);
    const bool turns = p.turn != std::array<double, 3>{}, scales = p.scale != 1;
    turned += turns, scaled += scales, both += turns && scales;
    for (double angle : p.turn) {
      EXPECT_EQ(angle != 0, turns);
      largest = std::max(largest, std::abs(angle));
    }
    smallest_scale = std::min(smallest_scale, p.scale), largest_scale = std::max(largest_scale, p.scale);
    logarithms += std::log(p.scale);
    const Placement plane = draw_placement(flat, {{4, 5, 6}}, c);
    EXPECT_TRUE(plane.turn[1] == 0 && plane.turn[2] == 0);
    p.turn = {}, p.scale = 1;
    EXPECT_EQ(p, draw_placement(old, {{4, 5, 6}}, a));
  }
  EXPECT_NEAR(turned, n / 4.0, 200);  // five standard deviations
  EXPECT_NEAR(scaled, n / 4.0, 200);
  EXPECT_NEAR(both, n / 16.0, 110);
  EXPECT_TRUE(largest <= 30 && largest > 29.9);
  EXPECT_TRUE(largest_scale <= 1.5 && largest_scale > 1.49 && smallest_scale >= 1 / 1.5 && smallest_scale < 0.67);
  EXPECT_NEAR(logarithms / scaled, 0, 0.03);  // as often larger as smaller
}

TEST(Placement, Mistakes) {
  Generator g(0, "crop");
  EXPECT_THROW(draw_placement({.crop = {{1, 2, 3}}, .quarter_turns = true}, {{4, 4, 4}}, g), engine::ShapeError);
  EXPECT_THROW(draw_placement({.crop = {{0, 2, 3}}}, {{4, 4, 4}}, g), engine::ShapeError);
  EXPECT_THROW(cut(counting({2, 2, 2, 1}), {{2, 2, 2}}, {.start = {{0, 0, 1}}}), engine::ShapeError);
  EXPECT_THROW(cut(counting({2, 2, 2, 1}), {{2, 2, 2}}, {.start = origin, .scale = 0}), engine::ShapeError);
}

}  // namespace
}  // namespace sagcl::tests
