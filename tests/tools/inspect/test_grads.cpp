#include "tests/tools/inspect/inspect_support.h"
#include "tools/run/run_folder.h"

namespace sagcl::tests {
namespace {

using Json = nlohmann::json;

TEST_F(Inspect, GradsOfAStepAreThoseThatTheRunWroteDown) {
  trained("semi-agcl");
  const tools::RunRecord record = tools::read_run(at("run"));
  ASSERT_EQ(record.gradients.size(), 4u);  // steps 1, 3, 5, 7
  EXPECT_EQ(record.gradients[0].gradients.terms, std::vector<std::string>{"sup"});
  const auto& logged = record.gradients[3];
  ASSERT_EQ(logged.step, 7);
  EXPECT_EQ(logged.gradients.terms, (std::vector<std::string>{"sup", "reg", "pl", "rw"}));

  const Outcome o = inspect({"grads", at("run"), "--step", "7", "--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  const Json json = Json::parse(o.out);
  EXPECT_EQ(json["step"], 7);
  ASSERT_EQ(json["layers"].size(), logged.gradients.layers.size());
  for (std::size_t i = 0; i < logged.gradients.layers.size(); ++i) {
    const auto& layer = logged.gradients.layers[i];
    EXPECT_EQ(json["layers"][i]["name"], layer.name);
    for (std::size_t a = 0; a < 4; ++a)
      EXPECT_NEAR(json["layers"][i]["norms"][a].get<double>(), layer.norm(a), 1e-6 * (1e-6 + layer.norm(a)));
  }
  EXPECT_EQ(json["teacher"]["reached"], 0);
  EXPECT_GT(json["teacher"]["parameters"], 0);
  EXPECT_GT(json["weights"][0]["update_ratio"].get<double>(), 0);
}

TEST_F(Inspect, GradsAsText) {
  fs::remove_all(at("data"));
  datasets::write_phantoms(at("data"), {.extents = {{1, 32, 32}}, .seed = 3}, 6, 0, 2);  // whose labels can be looked up
  trained("bcp", {"--labelled", "2"});
  const std::string before = content_of(at("run") / "metrics.jsonl");
  const Outcome o = inspect({"grads", at("run"), "--truth", "--depth", "1", "--batches", "2"});
  ASSERT_EQ(o.code, 0) << o.err;
  for (const char* part : {"step 9 of 8, phase bcp", "sup", "pseudo", "truth", "enc0 ", "head", "over 2 batches",
                           "Every layer received a gradient.", "parameters none did"})
    EXPECT_TRUE(contains(o.out, part));
  EXPECT_EQ(content_of(at("run") / "metrics.jsonl"), before);
}

TEST_F(Inspect, TheReportShowsTheGradientsOverTheRun) {
  trained("mean-teacher");
  const Outcome o = run("sagcl-report", {at("run")});
  ASSERT_EQ(o.code, 0) << o.err;
  const std::string page = content_of(at("run") / "report.html");
  EXPECT_TRUE(contains(page, "What each term of the loss does to each layer"));
  EXPECT_TRUE(contains(page, "reg: cosine with sup"));
}

TEST_F(Inspect, WritingGradientsDownSurvivesAResume) {
  trained("mean-teacher");
  ASSERT_EQ(train("parts", {"--method", "mean-teacher", "--set", "debug.grads_every=2", "--stop-after", "3"}).code, 130);
  ASSERT_EQ(run("sagcl-train", {"--resume", "--out", at("parts"), "--device", "cpu", "--threads", "1", "--no-report"}).code,
            0);
  EXPECT_EQ(tools::read_run(at("parts")).gradients.size(), 4u);
}

TEST_F(Inspect, WhatCannotBeLookedAtIsSaid) {
  trained("supervised");
  const auto refused = [&](const std::vector<std::string>& words, int code, const std::string& part) {
    const Outcome o = inspect(words);
    EXPECT_EQ(o.code, code) << o.err;
    EXPECT_TRUE(contains(o.err, part));
  };
  refused({"grads"}, 2, "give a run folder, or --preset and --data");
  refused({"grads", at("nothing")}, 66, "nothing");
  refused({"grads", at("run"), "--step", "99"}, 2, "the run has the steps 1 to 8");
  refused({"grads", at("run"), "--set", "train.batch=4"}, 2, "train.batch");
  refused({"grads", at("run"), "--truth"}, 2, "labelled samples alone");
  trained_again("bcp");
  refused({"grads", at("run"), "--truth"}, 65, "case phantom_004 has no label");
}

TEST(RunFolder, LinesAboutGradientsReadBack) {
  semiagcl::TermGradients g{{"sup", "reg"}, {{"enc0", {4, -1, -1, 9}}, {"head", {0, 0, 0, 1e-12}}}};
  const std::string line = tools::gradients_line({5, g});
  const tools::GradientPoint point = tools::gradient_point(line, "metrics.jsonl:1");
  EXPECT_EQ(point.step, 5);
  EXPECT_EQ(point.gradients.terms, g.terms);
  ASSERT_EQ(point.gradients.layers.size(), 2u);
  EXPECT_EQ(point.gradients.layers[0].products, g.layers[0].products);
  EXPECT_EQ(point.gradients.layers[1].products, g.layers[1].products);
  g.layers[0].products[1] = g.layers[0].products[2] = std::nan("");  // a gradient that is none
  const auto with_nan = tools::gradient_point(tools::gradients_line({5, g}), "metrics.jsonl:1").gradients.layers[0];
  EXPECT_TRUE(std::isnan(with_nan.products[1]) && with_nan.products[3] == 9);
  EXPECT_TRUE(std::isnan(with_nan.joint_norm(2)));
  for (const char* bad : {R"({"step":5,"terms":["a"],"layers":["x"],"products":[]})",
                          R"({"step":5,"terms":["a"],"layers":["x"],"products":[[1,2]]})", R"({"step":5})"})
    try {
      tools::gradient_point(bad, "metrics.jsonl:7");
      ADD_FAILURE() << bad;
    } catch (const engine::DataError& e) { EXPECT_TRUE(contains(e.what(), "metrics.jsonl:7")); }
}

}  // namespace
}  // namespace sagcl::tests
