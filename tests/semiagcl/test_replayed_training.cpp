// Whole training with its steps recorded and replayed, on a device in main memory that records as a GPU does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "datasets/phantom.h"
#include "semiagcl/baselines/registry.h"
#include "semiagcl/training/trainer.h"
#include "tests/support/recording_device.h"
#include "tests/support/throws.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using tests::RecordingDevice;
using tests::throws;

namespace {

RunSettings settings(const std::string& method, bool replay) {
  RunSettings s;
  s.network = {.name = "unet", .width = 2};
  s.train.method = method;
  s.train.steps = 7;
  s.train.batch = 4;
  s.train.patch = {1, 32, 32};
  s.train.learning_rate = 1e-2;
  s.train.restarts = 0;
  s.train.replay = replay;
  s.method = stable();
  s.method.warm_up_share = 0.4;  // three steps
  s.method.patch_grid = {{1, 2, 2}};
  s.method.projection_hidden = s.method.projection_dim = 8;
  s.method.bank_size = 32, s.method.n_closest = s.method.n_hard = 8, s.method.min_negatives = 2;
  s.method.min_confidence = 0, s.method.top_n_share = 0.5;
  return s;
}

TrainingData phantoms() {
  TrainingData data{.labelled = {}, .unlabelled = {}, .classes = 3};
  for (int i = 0; i < 4; ++i)
    (i < 2 ? data.labelled : data.unlabelled).push_back(datasets::phantom({.extents = {{1, 36, 34}}}, i));
  for (datasets::Sample& sample : data.unlabelled) sample.label = {};
  return data;
}

/// Every loss, term and observation of every step, and all tensors of the last checkpoint. The host looks at the device
/// after every `look` steps and at the end.
struct Outcome {
  std::map<std::string, std::vector<double>> values;
  int recordings, replays, reads;
  std::vector<std::int64_t> phase_ends = {};
};
Outcome outcome(const RunSettings& s, std::int64_t look = 1) {
  const TrainingData data = phantoms();
  RecordingDevice& device = RecordingDevice::get();
  Outcome all{{}, device.recordings, device.replays, device.reads};
  Trainer trainer(s, data, RecordingDevice::place());
  for (std::size_t i = 0; i < trainer.phases().size(); ++i) {
    const std::int64_t before = all.phase_ends.empty() ? 0 : all.phase_ends.back();
    if (trainer.phases()[i].steps > 0) all.phase_ends.push_back(before + trainer.phases()[i].steps);
  }
  while (!trainer.finished()) {
    trainer.advance();
    if (trainer.steps_done() % look != 0 && !trainer.finished()) continue;
    for (const StepReport& report : trainer.reports()) {
      all.values["loss"].push_back(report.values.loss);
      for (const auto& [name, value] : report.values.terms) all.values["term " + name].push_back(value);
      for (const auto& [name, value] : report.values.observations) all.values["observed " + name].push_back(value);
    }
  }
  all.recordings = device.recordings - all.recordings, all.replays = device.replays - all.replays,
  all.reads = device.reads - all.reads;
  for (const auto& [name, t] : trainer.checkpoint().tensors)
    // NaN: a slot of the bank without a key
    for (double v : t.to_doubles()) all.values[name].push_back(std::isnan(v) ? -1 : v);
  return all;
}

}  // namespace

/// Recording changes no bit.
void expect_same_bits(RunSettings s) {
  s.train.replay = false;
  const Outcome expected = outcome(s);
  s.train.replay = true;
  const Outcome got = outcome(s);
  EXPECT_EQ(expected.replays, 0);
  std::int64_t recorded = 0, end = 0;  // phases that have a second step
  for (const std::int64_t next : got.phase_ends) recorded += next - std::exchange(end, next) > 1;
  EXPECT_EQ(got.recordings, recorded);
  EXPECT_EQ(got.replays, s.train.shards * s.train.steps - std::int64_t(got.phase_ends.size()));  // all but the first of each
  ASSERT_EQ(expected.values.size(), got.values.size());
  for (const auto& [name, values] : expected.values) EXPECT_EQ(values, got.values.at(name)) << name;
  if (s.train.method != "semi-agcl") return;
  EXPECT_GT(expected.values.at("term rw").back(), 0) << "the contrastive loss was never reached";
}

class Replayed : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Registry, Replayed, testing::ValuesIn([] {
                           std::vector<const char*> names;
                           for (const MethodEntry& entry : training_methods()) names.push_back(entry.name);
                           return names;
                         }()),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '-', '_');
                           return text;
                         });

TEST_P(Replayed, HasTheSameBits) { expect_same_bits(settings(GetParam(), true)); }

TEST_P(Replayed, TheHostNeverWaitsUnlessItLooks) {
  RunSettings s = settings(GetParam(), true);
  s.train.steps = 20;
  const Outcome often = outcome(s, 1), seldom = outcome(s, 10);
  EXPECT_EQ(often.values, seldom.values);
  s.train.replay = false;
  const Outcome direct = outcome(s, 10);
  EXPECT_EQ(often.values, direct.values);
  std::set<std::int64_t> looks = {10};
  looks.insert(seldom.phase_ends.begin(), seldom.phase_ends.end());
  EXPECT_EQ(seldom.reads, std::int64_t(looks.size()));
  EXPECT_EQ(direct.reads, seldom.reads) << "a step that is not recorded reads from the device";
}

TEST(ReplayedTraining, HasTheSameBitsWithPooledFeatures) {
  RunSettings s = settings("semi-agcl", true);
  s.method.embedding = Embedding::roi;
  expect_same_bits(s);
}

TEST(ReplayedTraining, HasTheSameBitsInShards) {
  RunSettings s = settings("semi-agcl", true);
  s.train.shards = 2;
  expect_same_bits(s);
}

/// A device with room keeps what norms have computed, one without computes it again.
TEST(RecomputedNorms, TakeLessMemoryAndHaveTheSameBits) {
  RecordingDevice& device = RecordingDevice::get();
  engine::CachingAllocator& memory = engine::allocator(RecordingDevice::place());
  const auto peak_and_outcome = [&](const std::string& recompute, std::size_t room) {
    RunSettings s = settings("semi-agcl", false);
    s.train.recompute = recompute;
    device.memory = room;
    memory.reset_peak();
    const Outcome all = outcome(s);
    device.memory = 0;
    return std::pair(memory.statistics().peak, all);
  };
  const std::size_t much = std::size_t(1) << 40;
  const auto [always, expected] = peak_and_outcome("always", much);
  const auto [never, kept] = peak_and_outcome("never", 0);
  const auto [with_room, chosen] = peak_and_outcome("auto", much);
  const auto [without_room, careful] = peak_and_outcome("auto", 0);
  EXPECT_GT(never, always * 11 / 10);
  EXPECT_GT(with_room, (always + never) / 2);
  EXPECT_LT(without_room, (always + never) / 2);
  for (const Outcome* other : {&kept, &chosen, &careful}) EXPECT_EQ(other->values, expected.values);
}

TEST(ReplayedTraining, ABadLossIsTakenBackHoweverLateItIsSeen) {
  TrainingData data = phantoms();
  RecordingDevice::get();
  Tensor& image = data.unlabelled[1].image;
  std::fill_n(image.data<float>(), image.size(), std::nanf(""));
  for (const bool replay : {false, true}) {
    RunSettings s = settings("mean-teacher", replay);
    s.train.steps = 12;
    std::map<std::string, std::vector<double>> weights[2];
    std::int64_t steps[2] = {};
    for (const bool late : {false, true}) {
      Trainer trainer(s, data, RecordingDevice::place());
      const auto train = [&] {
        while (!trainer.finished()) {
          trainer.advance();
          if (!late) trainer.reports();
        }
        trainer.reports();
      };
      EXPECT_TRUE(throws<engine::NonFiniteError>(train, "the loss is not finite"));
      steps[late] = trainer.steps_done();
      for (layers::Segmenter* network : {&trainer.student(), trainer.teacher()})
        for (const auto& [name, p] : layers::parameters_of(*network))
          weights[late][name + (network == trainer.teacher() ? " of the teacher" : "")] = p->value().to_doubles();
      EXPECT_TRUE(throws<engine::NonFiniteError>(train, "the loss is not finite"));  // the same batch again
      EXPECT_EQ(trainer.steps_done(), steps[late]);
    }
    EXPECT_EQ(steps[0], steps[1]);
    EXPECT_GE(steps[0], 4);  // the warm-up has no unlabelled images
    EXPECT_EQ(weights[0], weights[1]) << replay;
    for (const auto& [name, values] : weights[0])
      for (double v : values) ASSERT_TRUE(std::isfinite(v)) << name;
  }
}

TEST(ReplayedTraining, GoesOnAfterABadLossAsIfItHadNotBeen) {
  const TrainingData data = phantoms();
  const auto weights_of = [](Trainer& trainer) {
    std::vector<double> all;
    for (layers::Segmenter* network : {&trainer.student(), trainer.teacher()})
      for (const auto& [name, p] : layers::parameters_in_order(*network))
        for (double v : p->value().to_doubles()) all.push_back(v);
    return all;
  };
  for (const bool replay : {false, true})
    for (const std::int64_t shards : {1, 2}) {
      RunSettings s = settings("semi-agcl", replay);
      s.train.steps = 14, s.train.shards = shards, s.train.batch = 4;
      RecordingDevice::get();
      Trainer straight(s, data, RecordingDevice::place()), trainer(s, data, RecordingDevice::place());
      while (!straight.finished()) straight.advance();
      while (trainer.steps_done() < 8) trainer.advance();
      EXPECT_EQ(trainer.reports().size(), 8u);
      Variable& w = *layers::parameters_of(trainer.student()).begin()->second;  // a weight turns bad, and is mended
      const Tensor good = w.value().clone();
      w.value_for_update().copy_from(Tensor::full(good.shape(), NAN, good.dtype(), good.device()));
      const auto go_on = [&] {
        for (int i = 0; i < 3; ++i) trainer.advance();
        trainer.reports();
      };
      EXPECT_TRUE(throws<engine::NonFiniteError>(go_on, "step 9: the loss is not finite"));
      EXPECT_EQ(trainer.steps_done(), 8);
      w.value_for_update().copy_from(good);
      while (!trainer.finished()) trainer.advance();
      EXPECT_EQ(trainer.reports().size(), 6u);
      EXPECT_EQ(weights_of(trainer), weights_of(straight)) << replay << shards;
    }
}

TEST(ReplayedTraining, AContrastOfWeightZeroIsLeftOut) {
  RunSettings s = settings("semi-agcl", false);
  s.method.w_rw = 0;
  const Outcome all = outcome(s);
  EXPECT_EQ(all.values.count("term rw"), 0u);
  EXPECT_EQ(all.values.at("loss").size(), 7u);
}

TEST(ReplayedTraining, AFailureToRecordIsNotTakenForABadLoss) {
  TrainingData data{.labelled = {datasets::phantom({.extents = {{1, 36, 34}}}, 0)}, .unlabelled = {}, .classes = 3};
  RecordingDevice& device = RecordingDevice::get();
  Trainer trainer(settings("supervised", true), data, RecordingDevice::place());
  trainer.advance();
  device.refuses = true;
  EXPECT_TRUE(throws<engine::BackendError>([&] { trainer.advance(); }, "this cannot be recorded"));
  device.refuses = false;
  trainer.advance();
  const std::vector<StepReport> reports = trainer.reports();
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports.back().step, 2);
  EXPECT_TRUE(std::isfinite(reports.back().values.loss));
}

TEST(ReplayedTraining, NeedsADeviceThatRecords) {
  TrainingData data;
  data.labelled.push_back(datasets::phantom({.extents = {{1, 36, 34}}}, 0));
  EXPECT_TRUE(throws<engine::UsageError>([&] { Trainer(settings("supervised", true), data, engine::Device::cpu()); },
                                         "train.replay = true records work for a GPU and this run is on the CPU"));
}
