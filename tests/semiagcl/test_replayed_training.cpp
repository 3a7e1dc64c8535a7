// Whole training with the networks' passes recorded and replayed, on a device in main memory that records as a GPU does.
#include <gtest/gtest.h>

#include <cmath>

#include "datasets/phantom.h"
#include "semiagcl/trainer.h"
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
  s.train.batch = 2;
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

/// Every loss and term of every step, and all tensors of the last checkpoint.
std::map<std::string, std::vector<double>> outcome(const RunSettings& s, int& replays) {
  TrainingData data{.labelled = {}, .unlabelled = {}, .classes = 3};
  for (int i = 0; i < 4; ++i) (i < 2 ? data.labelled : data.unlabelled).push_back(datasets::phantom({.extents = {{1, 36, 34}}}, i));
  for (datasets::Sample& sample : data.unlabelled) sample.label = {};
  RecordingDevice& device = RecordingDevice::get();
  const int before = device.replays;
  Trainer trainer(s, data, RecordingDevice::place());
  std::map<std::string, std::vector<double>> all;
  while (!trainer.finished()) {
    const StepReport report = trainer.advance();
    all["loss"].push_back(report.loss);
    for (const auto& [name, value] : report.terms) all["term " + name].push_back(value);
    for (const auto& [name, value] : report.observations) all["observed " + name].push_back(value);
  }
  for (const auto& [name, t] : trainer.checkpoint().tensors) all[name] = t.to_doubles();
  replays = device.replays - before;
  return all;
}

}  // namespace

TEST(ReplayedTraining, HasTheSameBits) {
  struct Case {
    const char* method;
    void (*change)(RunSettings&);
  };
  const Case cases[] = {{"supervised", [](RunSettings&) {}},
                        {"mean-teacher", [](RunSettings&) {}},
                        {"ua-mt", [](RunSettings&) {}},
                        {"semi-agcl", [](RunSettings&) {}},
                        {"semi-agcl", [](RunSettings& s) { s.method.embedding = Embedding::roi; }},
                        {"semi-agcl", [](RunSettings& s) { s.train.shards = 2, s.train.batch = 4; }}};
  for (const Case& c : cases) {
    RunSettings direct = settings(c.method, false), replayed = settings(c.method, true);
    c.change(direct), c.change(replayed);
    int none = 0, replays = 0;
    const auto expected = outcome(direct, none), got = outcome(replayed, replays);
    EXPECT_EQ(none, 0);
    EXPECT_GE(replays, 2 * 4) << c.method;  // forward and backward of at least four of seven steps
    ASSERT_EQ(expected.size(), got.size()) << c.method;
    for (const auto& [name, values] : expected) EXPECT_EQ(values, got.at(name)) << c.method << ": " << name;
    EXPECT_EQ(expected.count("term rw"), std::string(c.method) == "semi-agcl") << "the contrastive loss was never reached";
  }
}

TEST(ReplayedTraining, AFailureToRecordIsNotTakenForABadLoss) {
  TrainingData data{.labelled = {datasets::phantom({.extents = {{1, 36, 34}}}, 0)}, .unlabelled = {}, .classes = 3};
  RecordingDevice& device = RecordingDevice::get();
  Trainer trainer(settings("supervised", true), data, RecordingDevice::place());
  trainer.advance();
  device.refuses = true;
  EXPECT_TRUE(throws<engine::BackendError>([&] { trainer.advance(); }, "this cannot be recorded"));
  device.refuses = false;
  EXPECT_TRUE(std::isfinite(trainer.advance().loss));
}

TEST(ReplayedTraining, NeedsADeviceThatRecords) {
  TrainingData data;
  data.labelled.push_back(datasets::phantom({.extents = {{1, 36, 34}}}, 0));
  EXPECT_TRUE(throws<engine::UsageError>([&] { Trainer(settings("supervised", true), data, engine::Device::cpu()); },
                                         "train.replay = true records work for a GPU and this run is on the CPU"));
}
