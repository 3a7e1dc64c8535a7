#include <cmath>

#include "tests/tools/tools_support.h"
#include "tools/run/config.h"
#include "tools/run/metrics_csv.h"
#include "tools/run/run_folder.h"

using namespace sagcl;
using tests::contains;

namespace {

struct Metrics : tools::RunRecord {
  explicit Metrics(const std::string& text) { tools::parse_metrics(text, "metrics.jsonl", *this); }
};

}  // namespace

TEST(RunFolder, ReadsTheLinesOfATraining) {
  const Metrics m(
      "{\"step\":1,\"phase\":\"train\",\"loss\":0.9,\"terms\":{\"sup\":0.8,\"reg\":0.1},\"ramp\":0.5,\"lr\":1e-3,\"theta\":"
      "0.4,\"a_ii\":0.9,\"seconds\":0.25}\n"
      "{\"step\":2,\"phase\":\"train\",\"loss\":null,\"terms\":{},\"seconds\":0.5}\n"
      "{\"step\":2,\"phase\":\"validation\",\"network\":\"teacher\",\"dice\":0.75,\"per_class\":[0.7,0.8]}\n");
  ASSERT_EQ(m.train.size(), 2u);
  EXPECT_EQ(m.train[0].terms.at("reg"), 0.1);
  EXPECT_EQ(m.train[0].other.at("theta"), 0.4);
  EXPECT_EQ(m.train[0].seconds, 0.25);
  EXPECT_TRUE(std::isnan(m.train[1].loss));
  ASSERT_EQ(m.validation.size(), 1u);
  EXPECT_EQ(m.validation[0].network, "teacher");
  EXPECT_EQ(m.validation[0].per_class, (std::vector<double>{0.7, 0.8}));
}

TEST(RunFolder, ALastLineThatWasCutOffIsPassedOver) {
  const Metrics m("{\"step\":1,\"phase\":\"train\",\"loss\":1}\n{\"step\":2,\"phase\":\"tra");
  EXPECT_EQ(m.train.size(), 1u);
}

TEST(RunFolder, StepsWrittenAgainAfterAResumeCountOnce) {
  const Metrics m(
      "{\"step\":1,\"phase\":\"train\",\"loss\":1}\n{\"step\":2,\"phase\":\"train\",\"loss\":2}\n"
      "{\"step\":2,\"phase\":\"validation\",\"network\":\"student\",\"dice\":0.1}\n{\"step\":3,\"phase\":\"train\",\"loss\":"
      "3}\n"
      "{\"step\":2,\"phase\":\"train\",\"loss\":20}\n{\"step\":2,\"phase\":\"validation\",\"network\":\"student\",\"dice\":"
      "0.2}\n");
  ASSERT_EQ(m.train.size(), 2u);
  EXPECT_EQ(m.train[1].loss, 20);
  ASSERT_EQ(m.validation.size(), 1u);
  EXPECT_EQ(m.validation[0].dice, 0.2);
}

TEST(RunFolder, KeepsValidationAndTestApart) {
  const Metrics m(
      "{\"step\":2,\"phase\":\"validation\",\"network\":\"student\",\"dice\":0.1}\n"
      "{\"step\":2,\"phase\":\"test\",\"network\":\"student\",\"dice\":0.3}\n");
  ASSERT_EQ(m.validation.size(), 2u);
  EXPECT_EQ(m.validation[0].cases, "validation");
  EXPECT_EQ(m.validation[1].cases, "test");
}

TEST(RunFolder, ABadLineIsNamed) {
  try {
    Metrics("{\"step\":1,\"phase\":\"train\"}\nrubbish\n");
    FAIL() << "accepted";
  } catch (const engine::DataError& e) { EXPECT_TRUE(contains(e.what(), "metrics.jsonl:2")); }
}

TEST(RunFolder, NeedsAConfiguration) {
  tests::Scratch folder;
  EXPECT_THROW(tools::read_run(folder / "absent"), engine::MissingInput);
  EXPECT_THROW(tools::read_run(folder.path()), engine::MissingInput);
  semiagcl::RunSettings settings;
  settings.train.seed = 17;
  tests::put(folder / "config.toml", tools::to_toml(settings));
  const tools::RunRecord run = tools::read_run(folder.path());
  EXPECT_EQ(run.settings.train.seed, 17u);
  EXPECT_FALSE(run.evaluation.has_value());
  EXPECT_TRUE(std::isnan(run.seconds()));
  tests::put(folder / "status.json", R"({"state":"finished","step":600,"seconds":81.5})");
  EXPECT_EQ(tools::read_run(folder.path()).seconds(), 81.5);
  tests::put(folder / "status.json", "[]");
  EXPECT_THROW(tools::read_run(folder.path()), engine::DataError);
}

namespace {

std::string csv_of(const std::string& lines) { return tools::metrics_csv(Metrics(lines)); }

const std::string first =
    "{\"step\":1,\"phase\":\"train\",\"loss\":0.75,\"terms\":{\"sup\":0.5},\"ramp\":0,\"lr\":0.001,\"seconds\":2}\n"
    "{\"step\":1,\"phase\":\"validation\",\"network\":\"student\",\"dice\":0.25,\"per_class\":[0.5,0]}\n";
const std::string second =
    "{\"step\":2,\"phase\":\"train\",\"loss\":null,\"terms\":{\"sup\":0.5,\"reg\":0.125},\"ramp\":1,\"lr\":1e-10,"
    "\"seconds\":"
    "1}\n"
    "{\"step\":2,\"phase\":\"gradients\",\"terms\":[\"sup\"],\"layers\":[],\"products\":[]}\n"
    "{\"step\":2,\"phase\":\"note\",\"text\":\"a, b\"}\n"
    "{\"step\":2,\"phase\":\"test\",\"network\":\"teacher\",\"dice\":1,\"per_class\":[1]}\n";

}  // namespace

TEST(MetricsCsv, ARowPerStepAndColumnsThatStayWhereTheyAre) {
  EXPECT_EQ(csv_of(""), "step\r\n");
  const std::string head =
      "step,loss,loss.sup,lr,ramp,seconds,dice.validation.student,dice.validation.student.1,"
      "dice.validation.student.2";
  EXPECT_EQ(csv_of(first), head + "\r\n1,0.75,0.5,0.001,0,2,0.25,0.5,0\r\n");
  EXPECT_EQ(csv_of(first + second), head +
                                        ",loss.reg,dice.test.teacher\r\n1,0.75,0.5,0.001,0,2,0.25,0.5,0,,\r\n"
                                        "2,,0.5,1e-10,1,1,,,,0.125,1\r\n");
}
