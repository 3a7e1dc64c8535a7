#include <cmath>

#include "tests/tools/inspect/inspect_support.h"
#include "tools/inspect/compare.h"
#include "tools/run/run_folder.h"

namespace sagcl::tests {
namespace {

using Json = nlohmann::json;

TEST_F(Inspect, ReplayRepeatsAStepBitForBit) {
  trained("semi-agcl");
  const Outcome same = inspect({"replay", at("run"), "--step", "7"});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_TRUE(contains(same.out, "The same bits."));

  std::string metrics = content_of(at("run") / "metrics.jsonl");
  const std::string begin = "{\"step\":7,\"phase\":\"train\",\"loss\":";
  const std::size_t line = metrics.find(begin) + begin.size();
  metrics.replace(line, metrics.find(',', line) - line, "0.125");
  put(at("run") / "metrics.jsonl", metrics);
  const Outcome other = inspect({"replay", at("run"), "--step", "7", "--json"});
  EXPECT_EQ(other.code, 1);
  EXPECT_EQ(Json::parse(other.out)["values"]["loss"][0], 0.125);
  EXPECT_EQ(Json::parse(other.out)["same_bits"], false);
}

TEST_F(Inspect, NanNamesWhereItBegan) {
  trained("mean-teacher");
  const Outcome healthy = inspect({"nan", at("run"), "--step", "8"});
  EXPECT_EQ(healthy.code, 0) << healthy.err;
  EXPECT_TRUE(contains(healthy.out, "to 8 are finite"));

  ASSERT_EQ(train("bad", {"--method", "supervised", "--set", "train.learning_rate=1e30"}).code, 76);
  const Outcome o = inspect({"nan", at("bad")});
  EXPECT_EQ(o.code, 76);
  for (const char* part : {"not finite", "operation ", "record ", "it was given", "case"})
    EXPECT_TRUE(contains(o.err, part));
}

TEST_F(Inspect, NanDoesNotSayThatWhatItHasNotSeenIsFinite) {
  trained("supervised");
  const Outcome o = inspect({"nan", at("run")});  // finished: nothing is left to look at
  EXPECT_EQ(o.code, 2) << o.out;
  EXPECT_TRUE(contains(o.err, "there is no step to look at")) << o.err;
}

TEST_F(Inspect, ChecksOfAStepPass) {
  trained("semi-agcl", {"--set", "method.preset=mixed"});
  const Outcome gradients = inspect({"gradcheck", "step", "--run", at("run"), "--step", "7", "--elements", "1", "--json"});
  ASSERT_EQ(gradients.code, 0) << gradients.out << gradients.err;
  const Json json = Json::parse(gradients.out);
  EXPECT_GT(json["gradients"].size(), 50u);
  for (const Json& one : json["gradients"]) EXPECT_LT(one["worst"].get<double>(), 1e-5) << one["name"];
  const Outcome bits = run("sagcl-inspect", {"bits", at("run"), "--step", "7", "--device", "cpu", "--threads", "3"});
  EXPECT_EQ(bits.code, 0) << bits.out << bits.err;
  EXPECT_TRUE(contains(bits.out, "The same bits with 1 thread and with 3: "));
  const Outcome leaks = inspect({"leaks", at("run"), "--step", "2", "--steps", "5"});
  EXPECT_EQ(leaks.code, 0) << leaks.out << leaks.err;
  EXPECT_TRUE(contains(leaks.out, "5 steps gave back all that they asked for"));
  EXPECT_EQ(inspect({"leaks", at("run"), "--steps", "5"}).code, 2);  // nothing is left of it
  EXPECT_EQ(inspect({"gradcheck", "op", "--only", "no such*"}).code, 2);
}

TEST_F(Inspect, CompareSaysWhereTwoRunsPart) {
  trained("mean-teacher");
  ASSERT_EQ(train("same", {"--method", "mean-teacher", "--set", "debug.grads_every=2"}).code, 0);
  const Outcome same = run("sagcl-inspect", {"compare", at("run"), at("same")});
  EXPECT_EQ(same.code, 0) << same.out << same.err;
  EXPECT_TRUE(contains(same.out, "The settings are equal."));

  ASSERT_EQ(train("other", {"--method", "mean-teacher", "--set", "method.ema_decay=0.5"}).code, 0);
  const Outcome o = run("sagcl-inspect", {"compare", at("run"), at("other"), "--json"});
  EXPECT_EQ(o.code, 1);
  const Json json = Json::parse(o.out);
  EXPECT_TRUE(contains(json["settings"].get<std::string>(), "method.ema_decay"));
  EXPECT_GT(json["first_step"].get<int>(),
            5);  // the teacher begins behind the fourth, and follows its student from the fifth
  EXPECT_GT(json["differ"].size(), 0u);
  EXPECT_EQ(run("sagcl-inspect", {"compare", at("run"), at("nothing")}).code, 66);
}

TEST_F(Inspect, HashesSayWhetherDataOrArithmeticDiffer) {
  const auto hashed = [&](const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"--method", "mean-teacher", "--set", "debug.hashes=2"};
    all.insert(all.end(), more.begin(), more.end());
    ASSERT_EQ(train(name, all).code, 0);
  };
  hashed("run"), hashed("same"), hashed("seed", {"--seed", "7"}), hashed("rate", {"--set", "train.learning_rate=2e-3"});
  const tools::RunRecord record = tools::read_run(at("run"));
  ASSERT_EQ(record.hashes.size(), 4u);  // steps 1, 3, 5, 7
  EXPECT_EQ(record.hashes[0].hashes[0].first, "batch/weak");
  const auto compared = [&](const std::string& other) {
    return run("sagcl-inspect", {"compare", at("run"), at(other)}).out;
  };
  EXPECT_TRUE(contains(compared("same"), "are equal at all 4 steps"));
  EXPECT_TRUE(contains(compared("seed"), "1 is the first where"));
  EXPECT_TRUE(contains(compared("seed"), "batch/weak"));
  EXPECT_TRUE(contains(compared("rate"), "It is equal batches and gradients, so the update of the weights."));
}

TEST(Compare, ANaNIsTheLargestDifference) {
  const engine::Tensor a = engine::Tensor::of<float>({3}, {1, 2, 3}),
                       b = engine::Tensor::of<float>({3}, {1, std::nanf(""), 3});
  EXPECT_TRUE(std::isinf(tools::difference("t", a, b).relative));
  EXPECT_TRUE(std::isinf(tools::difference("t", b, a).relative));
  EXPECT_EQ(tools::difference("t", a, a).relative, 0);
}

TEST(Compare, CountsTheNumbersBetween) {
  const float next = std::nextafter(1.0f, 2.0f), below = std::nextafter(0.0f, -1.0f);
  const auto d =
      tools::difference("w", engine::Tensor::of<float>({3}, {1, 0, 5}), engine::Tensor::of<float>({3}, {next, below, 5}));
  EXPECT_EQ(d.differ, 2);
  EXPECT_EQ(d.first, 0);
  EXPECT_EQ(d.ulp, 1u);
  EXPECT_EQ(d.largest, double(next) - 1);
  EXPECT_EQ(tools::difference("w", engine::Tensor::of<float>({1}, {0}), engine::Tensor::of<float>({1}, {-0.0f})).differ, 0);
  EXPECT_FALSE(tools::difference("w", engine::Tensor::zeros({2}), engine::Tensor::zeros({3})).shapes.empty());
}

}  // namespace
}  // namespace sagcl::tests
