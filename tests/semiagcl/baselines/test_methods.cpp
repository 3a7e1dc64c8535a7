#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/files/safetensors.h"
#include "semiagcl/baselines/registry.h"
#include "semiagcl/training/checkpoint.h"
#include "semiagcl/training/training_batches.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/golden.h"

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

/// A run that is interrupted after some steps ends in the same bytes as one left alone.
void expect_same_bytes_when_interrupted(const RunSettings& s, const TrainingData& data) {
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

TEST_P(Methods, GoOnBitForBit) {
  const auto [method, flat] = GetParam();
  expect_same_bytes_when_interrupted(small_settings(method, flat), small_data(flat));
}

TEST_P(Methods, TakeShards) {
  const auto [method, flat] = GetParam();
  RunSettings s = small_settings(method, flat);
  s.train.shards = 2;
  const TrainingData data = small_data(flat);
  Trainer straight(s, data, {});
  while (!straight.finished()) straight.advance();
  for (const StepReport& report : straight.reports()) EXPECT_TRUE(std::isfinite(report.values.loss)) << report.step;
}

/// No student finds nine classes in a warm-up of two steps. What it learnt, and what learnt with it, is as if drawn anew.
TEST_P(Methods, StartAgainWithAllParts) {
  const auto [method, flat] = GetParam();
  RunSettings s = small_settings(method, flat);
  s.train.restarts = 1;
  TrainingData data = small_data(flat);
  data.classes = 9;
  Trainer trainer(s, data, {});
  const engine::TensorFile begun = engine::parse_safetensors(engine::safetensors_bytes(trainer.checkpoint()), "memory");
  for (int step = 0; step < 2; ++step) trainer.advance();
  const StepReport restart = trainer.reports().back();
  ASSERT_TRUE(restart.restarted);
  EXPECT_FALSE(restart.unpredicted.empty());
  EXPECT_EQ(trainer.steps_done(), 0);
  const engine::TensorFile again = trainer.checkpoint();
  ASSERT_EQ(again.tensors.size(), begun.tensors.size());
  for (const auto& [name, t] : begun.tensors)
    if (name.starts_with(checkpoint::method)) { EXPECT_TRUE(identical(again.tensors.at(name), t)) << name; }
  EXPECT_FALSE(identical(again.tensors.at(std::string(checkpoint::student) + "head.w"),
                         begun.tensors.at(std::string(checkpoint::student) + "head.w")));
  for (int step = 0; step < 2; ++step) trainer.advance();
  const StepReport last = trainer.reports().back();
  EXPECT_FALSE(last.restarted);
  EXPECT_FALSE(last.unpredicted.empty());  // said, although nothing more can be done
}

/// Semi-AGCL with the mask M (IV-C).
class MaskedSemiAgcl : public testing::TestWithParam<std::tuple<Embedding, bool>> {
 protected:
  RunSettings settings() const {
    RunSettings s = small_settings("semi-agcl", std::get<1>(GetParam()));
    s.method.mask = true, s.method.embedding = std::get<0>(GetParam());
    return s;
  }
};
INSTANTIATE_TEST_SUITE_P(Views, MaskedSemiAgcl,
                         testing::Values(std::tuple{Embedding::roi, false}, std::tuple{Embedding::roi, true},
                                         std::tuple{Embedding::patch, true}));

TEST_P(MaskedSemiAgcl, PastesInBothPhasesAndKeepsAllTerms) {
  const RunSettings s = settings();
  const TrainingData data = small_data(std::get<1>(GetParam()));
  Trainer trainer(s, data, {});
  EXPECT_TRUE(trainer.phases()[0].paste);
  EXPECT_TRUE(trainer.phases()[1].masks);
  while (!trainer.finished()) trainer.advance();
  for (const StepReport& report : trainer.reports()) {
    EXPECT_TRUE(std::isfinite(report.values.loss)) << report.step;
    const std::vector<std::string> terms =
        report.step <= 2 ? std::vector<std::string>{"sup"} : std::vector<std::string>{"sup", "reg", "pl", "rw"};
    EXPECT_EQ(report.values.terms.size(), terms.size());
    for (const std::string& term : terms) EXPECT_EQ(report.values.terms.count(term), 1u) << term;
  }
}

/// augment.copy_paste: in the supervised warm-up, in all phases, or in none.
TEST(CopyPaste, OfTheWarmUpAlone) {
  RunSettings s = small_settings("mean-teacher", true);
  const TrainingData data = small_data(true);
  const auto boxes = [&](const std::string& when) {
    s.augment.copy_paste = when;
    Trainer trainer(s, data, {});
    return std::pair(batch_spec(s, trainer.phases()[0], 2).paste_box, batch_spec(s, trainer.phases()[1], 2).paste_box);
  };
  EXPECT_EQ(boxes("never"), std::pair(0.0, 0.0));
  EXPECT_EQ(boxes("warm_up"), std::pair(s.mix.box, 0.0));
  EXPECT_EQ(boxes("always"), std::pair(s.mix.box, s.mix.box));
}

TEST_P(MaskedSemiAgcl, GoesOnBitForBit) {
  expect_same_bytes_when_interrupted(settings(), small_data(std::get<1>(GetParam())));
}

}  // namespace
}  // namespace sagcl::tests
