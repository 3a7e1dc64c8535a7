#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/files/safetensors.h"
#include "semiagcl/baselines/registry.h"
#include "tests/semiagcl/small_training.h"

// What every method of the registry has to do, in images and in volumes.
namespace sagcl::tests {
namespace {

using namespace semiagcl;

std::vector<std::string> all_methods() {
  std::vector<std::string> names;
  for (const MethodEntry& entry : training_methods()) names.push_back(entry.name);
  return names;
}

class Methods : public testing::TestWithParam<std::tuple<std::string, bool>> {};
INSTANTIATE_TEST_SUITE_P(Registry, Methods, testing::Combine(testing::ValuesIn(all_methods()), testing::Bool()),
                         [](const auto& parameters) {
                           std::string name =
                               std::get<0>(parameters.param) + (std::get<1>(parameters.param) ? "_unet" : "_vnet");
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(Methods, TrainThroughAllPhasesWithFiniteTerms) {
  const auto [method, flat] = GetParam();
  const RunSettings s = small_settings(method, flat);
  const TrainingData data = small_data(flat);
  Trainer trainer(s, data, {});
  while (!trainer.finished()) trainer.advance();
  const std::vector<StepReport> reports = trainer.reports();
  ASSERT_EQ(reports.size(), 8u);
  for (const StepReport& report : reports) {
    EXPECT_TRUE(std::isfinite(report.values.loss)) << report.step;
    EXPECT_FALSE(report.values.terms.empty());
  }
  EXPECT_EQ(trainer.teacher() != nullptr, trainer.averages());
}

TEST_P(Methods, GoOnBitForBit) {
  const auto [method, flat] = GetParam();
  const RunSettings s = small_settings(method, flat);
  const TrainingData data = small_data(flat);
  Trainer straight(s, data, {});
  while (!straight.finished()) straight.advance();
  const std::string whole = engine::safetensors_bytes(straight.checkpoint());
  for (const std::int64_t at : {1, 2, 5}) {
    Trainer first(s, data, {}), second(s, data, {});
    while (first.steps_done() < at) first.advance();
    second.restore(first.checkpoint(), "memory");
    while (!second.finished()) second.advance();
    EXPECT_EQ(engine::safetensors_bytes(second.checkpoint()), whole) << "interrupted after " << at;
  }
}

/// Two shards are two shards, whoever works on them.
TEST_P(Methods, TakeShards) {
  const auto [method, flat] = GetParam();
  RunSettings s = small_settings(method, flat);
  s.train.shards = 2;
  const TrainingData data = small_data(flat);
  Trainer straight(s, data, {});
  while (!straight.finished()) straight.advance();
  for (const StepReport& report : straight.reports()) EXPECT_TRUE(std::isfinite(report.values.loss)) << report.step;
}

}  // namespace
}  // namespace sagcl::tests
