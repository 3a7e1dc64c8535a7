#include <gtest/gtest.h>

#include "tests/semiagcl/small_training.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

class Bcp : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Networks, Bcp, testing::Values(false, true),
                         [](const auto& flat) { return flat.param ? "unet" : "vnet"; });

TEST_P(Bcp, PreTrainsOnLabelledPairsThenPastesBothWays) {
  const RunSettings s = small_settings("bcp", GetParam());
  const TrainingData data = small_data(GetParam());
  Trainer trainer(s, data, {});
  ASSERT_EQ(trainer.phases().size(), 2u);
  EXPECT_EQ(trainer.phases()[0].name, "pre-training");
  EXPECT_EQ(trainer.phases()[0].steps, 2);
  EXPECT_EQ(trainer.teacher(), nullptr);
  while (!trainer.finished()) trainer.advance();
  const std::vector<StepReport> reports = trainer.reports();
  ASSERT_EQ(reports.size(), 8u);
  for (const StepReport& r : reports) {
    const bool pre_training = r.step <= 2;
    EXPECT_EQ(r.values.terms.count("sup"), 1u) << r.step;
    EXPECT_EQ(r.values.terms.count("pseudo"), !pre_training) << r.step;
    if (pre_training) continue;
    EXPECT_NEAR(r.values.loss, r.values.terms.at("sup") + 0.5 * r.values.terms.at("pseudo"), 1e-6);
  }
  EXPECT_NE(trainer.teacher(), nullptr);
}

TEST(BcpSettings, NeedPairsOfLabelledSamples) {
  RunSettings s = small_settings("bcp", true);
  s.train.shards = 8;
  const TrainingData data = small_data(true);
  EXPECT_TRUE(throws<engine::UsageError>([&] { Trainer(s, data, {}); }, "pre-training swaps boxes"));
}

}  // namespace
}  // namespace sagcl::tests
