#include <gtest/gtest.h>

#include <set>
#include <string>
#include <tuple>

#include "tests/semiagcl/small_training.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

class Distilled : public testing::TestWithParam<std::tuple<std::string, bool>> {};
INSTANTIATE_TEST_SUITE_P(Methods, Distilled, testing::Combine(testing::Values("action", "arco"), testing::Bool()));

TEST_P(Distilled, PreTrainsInTwoStagesThenFineTunes) {
  const auto [method, flat] = GetParam();
  const RunSettings s = small_settings(method, flat);
  const TrainingData data = small_data(flat);
  Trainer trainer(s, data, {});
  ASSERT_EQ(trainer.phases().size(), 4u);
  const std::string names[] = {"warm-up", "pre-training", "pre-training", method};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(trainer.phases()[i].name, names[i]);
    EXPECT_EQ(trainer.phases()[i].steps, 2);
  }
  while (!trainer.finished()) trainer.advance();
  for (const StepReport& r : trainer.reports()) {
    std::set<std::string> seen, want{"sup"};
    for (const auto& [name, value] : r.values.terms) seen.insert(name);
    if (r.step > 2 && r.step <= 6) want.insert("latent");
    if (r.step > 4 && r.step <= 6) want.insert("output");
    if (r.step > 6) want.insert({"pseudo", "contrast"});
    if (r.step > 6 && method == "arco") want.insert({"equivariance", "nearest"});
    EXPECT_EQ(seen, want) << r.step;
  }
}

TEST_P(Distilled, GoesWithoutPreTraining) {
  RunSettings s = small_settings(std::get<0>(GetParam()), true);
  s.contrast.pre_training_share = 0, s.train.steps = 4;
  const TrainingData data = small_data(true);
  Trainer trainer(s, data, {});
  ASSERT_EQ(trainer.phases().size(), 2u);
  EXPECT_EQ(trainer.phases()[1].steps, 3);
  while (!trainer.finished()) trainer.advance();
  EXPECT_NE(trainer.teacher(), nullptr);
}

}  // namespace
}  // namespace sagcl::tests
