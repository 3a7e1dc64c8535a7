#include <atomic>
#include <cmath>

#include "semiagcl/training/shards.h"

#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "semiagcl/training/training_batches.h"
#include "tests/support/thread_world.h"
#include "tests/support/throws.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using tests::ThreadWorld;
using tests::throws;

namespace {

/// Two parameters and a buffer.
struct Small final : layers::Module {
  Variable w = Variable::parameter(Tensor::full({2}, 1)), other = Variable::parameter(Tensor::full({2}, 1));
  Tensor mean = Tensor::full({1}, 10);
  void describe(layers::Parts& parts) override {
    parts.parameter("w", w), parts.parameter("other", other), parts.buffer("mean", mean);
  }
};

struct Found {
  Tensor none = {}, keys;
  static constexpr Tensor Found::*tensors[] = {&Found::none, &Found::keys};
};

/// A shard whose loss is ((number + 1) Σ w + Σ other) / shards and which adds its number to the buffer.
ShardReport run_shard(Small& net, std::int64_t number, std::int64_t shards) {
  autograd::Tape tape;
  const Variable loss = ops::add(ops::scale(ops::sum(net.w), double(number + 1) / double(shards)),
                                 ops::scale(ops::sum(net.other), 1 / double(shards)));
  tape.backward(loss);
  net.mean.data<float>()[0] += float(number);
  ShardReport report;
  report.values.loss = double(number);
  report.values.terms["sup"] = 0.5;
  report.found = Findings::of(Found{.keys = Tensor::full({1, 2}, double(number))});
  if (number == 3) report.failure = "three is not finite";
  return report;
}

}  // namespace

TEST(Shards, GradientsAndStatisticsAreAveragesAndReportsComeInOrder) {
  for (int processes : {1, 2, 4})
    ThreadWorld(processes).run([&](engine::Communicator& ranks) {
      Small net;
      layers::Sgd optimiser(layers::parameters_of(net));
      ShardAverage average(ranks, 4, {{"net", &net}}, optimiser.parameters());
      const int share = 4 / processes;
      for (int i = 0; i < share; ++i) {
        average.begin();
        EXPECT_EQ(net.mean.item(), 10);  // every shard starts from the same statistics
        ShardReport report = run_shard(net, ranks.rank() * share + i, 4);
        average.end(std::move(report), optimiser.take_gradients());
      }
      const std::vector<ShardReport> reports = average.finish();
      ASSERT_EQ(reports.size(), 4u);
      for (std::size_t s = 0; s < 4; ++s) {
        EXPECT_EQ(reports[s].values.loss, double(s));
        EXPECT_EQ(reports[s].values.terms.at("sup"), 0.5);
        EXPECT_EQ(reports[s].found.as<Found>().keys.to_doubles(), (std::vector<double>{double(s), double(s)}));
        EXPECT_FALSE(reports[s].found.as<Found>().none.defined());
        EXPECT_EQ(reports[s].failure, s == 3 ? "three is not finite" : "");
      }
      EXPECT_EQ(average.gradients().at("w").to_doubles(), (std::vector<double>{2.5, 2.5}));
      EXPECT_EQ(average.gradients().at("other").to_doubles(), (std::vector<double>{1, 1}));
      EXPECT_EQ(net.mean.item(), 11.5);
    });
}

TEST(Shards, AShardThatFailedHasNoGradients) {
  Small net;
  layers::Sgd optimiser(layers::parameters_of(net));
  ShardAverage average(engine::alone(), 2, {{"net", &net}}, optimiser.parameters());
  average.begin();
  ShardReport report = run_shard(net, 0, 2);
  average.end(std::move(report), optimiser.take_gradients());
  average.begin();
  report = {};
  report.failure = "not finite";
  average.end(std::move(report), {});
  EXPECT_EQ(average.finish()[1].failure, "not finite");
}

TEST(Shards, WeightsThatDifferAreFoundInEveryProcess) {
  std::atomic<int> found = 0;
  ThreadWorld(2).run([&](engine::Communicator& ranks) {
    Small net;
    require_equal_weights(ranks, {{"net", &net}}, 0);
    if (ranks.rank() == 1) net.w.value_for_update().data<float>()[1] = std::nextafter(1.f, 2.f);
    found += bool(throws<engine::UsageError>(
        [&] {
          require_equal_weights(ranks, {{"net", &net}}, 7);
        },
        "after 7 steps the weights of process 1 (hash "));
    if (ranks.rank() == 1) net.w.value_for_update().data<float>()[1] = 1;
    if (ranks.rank() == 0) net.mean.data<float>()[0] += 1;  // running statistics count as well
    found += bool(throws<engine::UsageError>([&] { require_equal_weights(ranks, {{"net", &net}}, 8); }, "differ"));
  });
  EXPECT_EQ(found, 4);
}

TEST(TrainingBatches, AreAsSettingsAndPhaseSay) {
  RunSettings s;
  const datasets::BatchSpec plain = batch_spec(s, {.name = "plain"}, 3);
  EXPECT_EQ(plain.distances, 0);
  EXPECT_EQ(plain.weak.turn, 0);
  EXPECT_EQ(plain.weak.scale, 1);
  EXPECT_EQ(plain.strong.blur_probability, 0);
  s.augment.turn = 15, s.augment.scale = 1.25, s.augment.elastic = 0.2, s.augment.place_share = 0.3,
  s.augment.strong = "full";
  const datasets::BatchSpec full = batch_spec(s, {.name = "full", .distances = true}, 3);
  EXPECT_EQ(full.distances, 3);
  EXPECT_EQ(full.weak.turn, 15);
  EXPECT_EQ(full.weak.scale, 1.25);
  EXPECT_EQ(full.weak.free_share, 0.3);
  EXPECT_EQ(full.strong.blur_probability, 0.2);
  EXPECT_EQ(full.strong.noise.high, plain.strong.noise.high);
}

TEST(Shards, MustDivideTheBatchAndBeDividedByTheProcesses) {
  RunSettings s;
  const Phase both{.name = "both", .unlabelled = true}, supervised{.name = "supervised"};
  s.train.batch = 8, s.train.shards = 4;
  for (int processes : {1, 2, 4}) EXPECT_NO_THROW(check_batches(s, both, processes));
  EXPECT_TRUE(throws<engine::UsageError>([&] { check_batches(s, both, 3); }, "3 processes cannot share train.shards = 4"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { check_batches(s, both, 8); }, "8 processes cannot share train.shards = 4"));
  s.train.shards = 8;
  EXPECT_NO_THROW(check_batches(s, supervised, 8));  // supervised: eight labelled samples
  EXPECT_TRUE(throws<engine::UsageError>([&] { check_batches(s, both, 8); }, "4 labelled and 4 unlabelled samples"));
  Phase pasted = supervised;
  pasted.name = "pre-training", pasted.paste = true;
  EXPECT_TRUE(throws<engine::UsageError>([&] { check_batches(s, pasted, 8); }, "pre-training swaps boxes"));
  s.augment.copy_paste = "always";
  EXPECT_TRUE(throws<engine::UsageError>([&] { check_batches(s, supervised, 8); }, "augment.copy_paste swaps boxes"));
  s.train.batch = 16;
  EXPECT_NO_THROW(check_batches(s, pasted, 8));
  EXPECT_NO_THROW(check_batches(s, supervised, 8));
  s.augment.copy_paste = "never", s.train.batch = 8;
  s.train.unlabelled = "beside";
  EXPECT_NO_THROW(check_batches(s, both, 8));
  s.train.shards = 6;
  EXPECT_TRUE(throws<engine::UsageError>([&] { check_batches(s, both, 1); }, "choose 1, 2, 4, 8"));
}
