#include <gtest/gtest.h>

#include "autograd/gradcheck.h"
#include "semiagcl/baselines/parts/distance_head.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/by_hand.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

TEST(DistanceHead, HasAChannelForEveryClassButTheBackground) {
  const RunSettings volumes = small_settings("dtc", false), images = small_settings("dtc", true);
  DistanceHead released(volumes, {.classes = 2, .width = 16}, {}), flat(images, {.classes = 4, .width = 16}, {});
  EXPECT_EQ(layers::count_parameters(released), 17);
  EXPECT_EQ(layers::count_parameters(flat), 3 * (9 * 16 + 1));
}

TEST(DistanceHead, LearnsFromTheLabelledSamplesAlone) {
  const Tensor truth = Tensor::of({1, 1, 1, 2, 1}, Doubles{1, -1});
  const Variable seen(Tensor::of({2, 1, 1, 2, 1}, Doubles{0.5, -0.25, 7, 8}));
  EXPECT_NEAR(distance_loss(seen, truth).value().item(), (0.25 + 0.5625) / 2, 1e-15);
  const auto result = autograd::gradcheck([&](const Variables& in) { return distance_loss(in[0], truth); }, {seen.value()});
  EXPECT_TRUE(result.passed) << result.text();
}

}  // namespace
}  // namespace sagcl::tests
