#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "engine/files/safetensors.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/arco.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using autograd::gradcheck;
using engine::Dtype;
using engine::Shape;
using Doubles = std::vector<double>;
using Variables = std::vector<Variable>;

Tensor of(const Shape& shape, const Doubles& values) { return Tensor::of(shape, values); }
Tensor number(double value) { return Tensor::full({1}, value, Dtype::f64); }

// --- drawing by strata ---------------------------------------------------------------------------

TEST(Stratified, EveryStratumHasItsShare) {
  engine::Generator random(1, "places");
  for (const Drawing drawing : {Drawing::stratified, Drawing::antithetic}) {
    const Doubles u = places(3, 64, drawing, random, {}).to_doubles();
    for (std::size_t i = 0; i < u.size(); ++i) {
      const double stratum = std::floor(double(i % 64) / 4);  // four in each
      EXPECT_GE(u[i], stratum / 16);
      EXPECT_LE(u[i], (stratum + 1) / 16);
    }
    EXPECT_NE(u[0], u[64]);
  }
}

TEST(Stratified, AntitheticPairsMirrorEachOther) {
  engine::Generator random(1, "places");
  const Doubles u = places(1, 64, Drawing::antithetic, random, {}).to_doubles();
  for (std::size_t s = 0; s < 16; ++s)
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(u[4 * s + i] + u[4 * s + 2 + i], double(2 * s + 1) / 16, 1e-6);
  EXPECT_TRUE(throws<engine::UsageError>([&] { places(1, 48, Drawing::antithetic, random, {}); }, "48"));
}

/// Variance over 400 repetitions of the mean of 32 drawn rows, row m of 1024 being worth m / 1024.
double variance_of_mean(Drawing drawing) {
  const Tensor weights = Tensor::full({1024, 1}, 1);
  double sum = 0, squares = 0;
  for (std::uint64_t t = 0; t < 400; ++t) {
    engine::Generator random(2, "places", t);
    double mean = 0;
    for (std::int32_t m : ops::draw_rows(weights, places(1, 32, drawing, random, {})).to_vector<std::int32_t>())
      mean += double(m) / 1024 / 32;
    EXPECT_NEAR(mean, 0.5, drawing == Drawing::plain ? 0.25 : 0.03);
    sum += mean, squares += mean * mean;
  }
  return squares / 400 - sum * sum / (400.0 * 400.0);
}

TEST(Stratified, MeansVaryLess) {
  const double plain = variance_of_mean(Drawing::plain), stratified = variance_of_mean(Drawing::stratified);
  EXPECT_NEAR(plain, 1.0 / (12 * 32), 6e-4);                            // of a uniform number, over 32 draws
  EXPECT_NEAR(stratified, 1.0 / (12 * 256 * 32), 3e-6);                 // within a sixteenth
  EXPECT_LT(variance_of_mean(Drawing::antithetic), 0.05 * stratified);  // errors of a pair cancel
}

// --- caches and banks ----------------------------------------------------------------------------

TEST(RowQueue, KeepsTheNewestRowsOfEachGroup) {
  RowQueue queue(2, 3, 1, {});
  queue.push(Tensor::of<float>({2, 2, 1}, {1, 2, 3, 4}), {});
  EXPECT_EQ(queue.rows().to_doubles(), (Doubles{1, 2, 0, 3, 4, 0}));
  EXPECT_EQ(queue.filled().to_doubles(), (Doubles{1, 1, 0, 1, 1, 0}));
  queue.push(Tensor::of<float>({2, 2, 1}, {5, 6, 7, 8}), number(1), Tensor::of<float>({2}, {0, 1}));
  EXPECT_EQ(queue.rows().to_doubles(), (Doubles{1, 2, 0, 7, 8, 3}));
  EXPECT_EQ(queue.filled().to_doubles(), (Doubles{1, 1, 0, 1, 1, 1}));
  queue.push(Tensor::of<float>({2, 2, 1}, {9, 9, 9, 9}), number(0));
  EXPECT_EQ(queue.rows().to_doubles(), (Doubles{1, 2, 0, 7, 8, 3}));
  queue.push(Tensor::of<float>({2, 4, 1}, {1, 2, 3, 4, 5, 6, 7, 8}), {});
  EXPECT_EQ(queue.rows().to_doubles(), (Doubles{1, 2, 3, 5, 6, 7}));

  RowQueue other(2, 3, 1, {}), small(2, 2, 1, {});
  other.load(queue.state());
  EXPECT_TRUE(identical(other.rows(), queue.rows()));
  EXPECT_TRUE(throws<engine::DataError>([&] { small.load(queue.state()); }, "[2, 3"));
  EXPECT_TRUE(throws<engine::DataError>([&] { small.load({}); }, "rows"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { queue.push(Tensor::zeros({1, 2, 1}), {}); }, "RowQueue"));
}

// --- equivariance --------------------------------------------------------------------------------

TEST(AxisWarp, MatricesByHand) {
  const AxisGrid grid = axis_grid(3, {});
  EXPECT_EQ(axis_matrix(grid, number(1), number(0)).to_doubles(), (Doubles{1, 0, 0, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(axis_matrix(grid, number(1), number(1)).to_doubles(), (Doubles{0, 1, 0, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(axis_matrix(grid, number(-1), number(0)).to_doubles(), (Doubles{0, 0, 1, 0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(axis_matrix(grid, number(0.5), number(0)).to_doubles(), (Doubles{.5, .5, 0, 0, 1, 0, 0, .5, .5}));
}

TEST(AxisWarp, MovesEveryAxis) {
  const Shape s{2, 2, 3, 4, 2};
  const Tensor x = random_tensor(s, 1, Dtype::f32);
  // mirrored in depth, shifted by one in height, by minus one in width
  const AxisMatrices matrices{axis_matrix(axis_grid(2, {}), number(-1), number(0)),
                              axis_matrix(axis_grid(3, {}), number(1), number(1)),
                              axis_matrix(axis_grid(4, {}), number(1), number(-1))};
  const Tensor y = warped(x, matrices);
  ASSERT_EQ(y.shape(), s);
  const auto at = [&](const Tensor& t, std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t w, std::int64_t c) {
    return h < 0 || h > 2 || w < 0 || w > 3 ? 0.0f : t.data<float>()[(((n * 2 + d) * 3 + h) * 4 + w) * 2 + c];
  };
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t c = i % 2, w = i / 2 % 4, h = i / 8 % 3, d = i / 24 % 2, n = i / 48;
    EXPECT_EQ(at(y, n, d, h, w, c), at(x, n, 1 - d, h + 1, w - 1, c)) << i;
  }
}

TEST(AxisWarp, DrawsZoomsAndShifts) {
  engine::Generator random(1, "warp");
  const AxisMatrices matrices = RandomAxisWarp({{1, 20, 40}}, {}).draw(random);
  EXPECT_FALSE(matrices[0].defined());
  for (std::size_t axis = 1; axis < 3; ++axis) {
    const std::int64_t E = axis == 1 ? 20 : 40;
    ASSERT_EQ(matrices[axis].shape(), (Shape{E, E}));
    double middle = 0, where = 0;  // the middle row interpolates: its weights sum to one
    for (std::int64_t j = 0; j < E; ++j) {
      const double a = double(matrices[axis].data<float>()[E / 2 * E + j]);
      middle += a, where += a * double(j);
    }
    EXPECT_NEAR(middle, 1, 1e-5);
    EXPECT_NEAR(where, double(E) / 2, 0.1 * double(E) + 0.2);
  }
}

TEST(MaskedDivergence, ByNumpy) {
  const Tensor z = of({1, 1, 1, 3, 2}, {0, 1, 2, 0, 1, -1}), t = of({1, 1, 1, 3, 2}, {0.2, 0.8, 0.9, 0.1, 0.5, 0.5});
  const Tensor m = of({1, 1, 1, 3}, {1, 0.5, 0});
  EXPECT_NEAR(masked_divergence(Variable(z), t, m).value().item(), 0.009189855199929663, 1e-15);
  EXPECT_EQ(masked_divergence(Variable(z), t, Tensor::zeros_like(m)).value().item(), 0);
  const auto result = gradcheck([&](const Variables& in) { return masked_divergence(in[0], t, m); }, {z});
  EXPECT_TRUE(result.passed) << result.text();
}

// --- who takes part in the contrast --------------------------------------------------------------

TEST(VoxelRoles, ByHand) {
  // three labelled voxels, the last of them not annotated; eleven others, which the teacher is less and less sure of
  Doubles map{1, 0, 0, 1, 0, 0}, student{0.9, 0.1, 0.8, 0.2, 0.5, 0.5}, teacher(6, 0.5);
  for (int i = 0; i < 11; ++i) {
    const double p = 0.99 - 0.04 * i;
    for (double v : {1.0, 0.0}) map.push_back(v);
    for (double v : {p, 1 - p}) teacher.push_back(v), student.push_back(v);
  }
  const VoxelRoles roles = voxel_roles(of({14, 2}, map), of({14, 2}, student), of({14, 2}, teacher), 3);
  const auto ones = [](const Tensor& t) {
    std::vector<std::size_t> all;
    const Doubles values = t.to_doubles();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] != 0) all.push_back(i);
    return all;
  };
  using Places = std::vector<std::size_t>;
  EXPECT_EQ(ones(roles.typical), (Places{0, 3, 6, 8}));     // of the others the two that are surest, both class 0
  EXPECT_EQ(ones(roles.anchors), (Places{0, 6, 8}));        // the student gives voxel 1 only 0.2
  EXPECT_EQ(ones(roles.unlikely), (Places{1, 2, 25, 27}));  // the two least sure, as not of class 1
}

// --- nearest neighbours --------------------------------------------------------------------------

TEST(NearestNeighbours, ByNumpy) {
  const Tensor rows = of({2, 2}, {1, 0, 1, 1}), cache = of({4, 2}, {1, 0, 0, 1, 3, 4, 1, 0});
  const auto loss = [&](const Doubles& filled) {
    return nearest_neighbour_loss(Variable(rows), cache, of({4}, filled), 2).value().item();
  };
  EXPECT_NEAR(loss({1, 1, 1, 0}), 0.17573593128807152, 1e-14);
  EXPECT_NEAR(loss({1, 0, 0, 0}), 0.14644660940672627, 1e-14);  // the only one
  EXPECT_EQ(loss({0, 0, 0, 0}), 0);
  const auto result = gradcheck(
      [&](const Variables& in) {
        return nearest_neighbour_loss(in[0], cache, of({4}, {1, 1, 1, 0}), 2);
      },
      {random_tensor({3, 2}, 4)});
  EXPECT_TRUE(result.passed) << result.text();
}

// --- training ------------------------------------------------------------------------------------

TEST(Arco, AntitheticTrainingIsAnotherOneAndGoesOnBitForBit) {
  RunSettings s = small_settings("arco", true), other = s;
  s.contrast.antithetic = true;
  const TrainingData data = small_data(true);
  const auto run = [&](const RunSettings& settings, std::int64_t interrupted) {
    Trainer first(settings, data, {}), second(settings, data, {});
    while (first.steps_done() < interrupted) first.advance();
    if (interrupted > 0) second.restore(first.checkpoint(), "memory");
    while (!second.finished()) second.advance();
    return engine::safetensors_bytes(second.checkpoint());
  };
  const std::string whole = run(s, 0);
  EXPECT_EQ(run(s, 7), whole);
  EXPECT_NE(run(other, 0), whole);
}

}  // namespace
}  // namespace sagcl::tests
