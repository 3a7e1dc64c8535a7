#include <gtest/gtest.h>

#include <vector>

#include "autograd/gradcheck.h"
#include "engine/files/safetensors.h"
#include "semiagcl/baselines/arco.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using autograd::gradcheck;

// --- equivariance --------------------------------------------------------------------------------

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
