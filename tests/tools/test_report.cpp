#include <algorithm>

#include "datasets/formats/nifti.h"
#include "tests/tools/tools_support.h"
#include "tools/report/report.h"
#include "tools/run/config.h"
#include "tools/run/method_look.h"

using namespace sagcl;
using tests::box;
using tests::contains;

namespace {

/// A data set of two volumes and a run on it, as sagcl-train would leave them.
class Report : public testing::Test {
 protected:
  void SetUp() override {
    const engine::Shape s{8, 8, 8};
    for (const char* id : {"h_1", "h_2"}) {
      for (const char* part : {"imagesTr", "labelsTr"}) std::filesystem::create_directories(folder_ / "data" / part);
      datasets::write_nifti(folder_ / "data" / "imagesTr" / (std::string(id) + ".nii.gz"), engine::Tensor::full(s, 1), {});
      datasets::write_nifti(folder_ / "data" / "labelsTr" / (std::string(id) + ".nii.gz"), box(s, {1, 1, 1}, {5, 5, 5}), {});
    }
    tests::put(folder_ / "data" / "dataset.json", R"({"name":"tiny","labels":{"0":"background","1":"hippo <campus>"}})");
    make_run("run-a", {4, 5, 5});
  }

  std::filesystem::path make_run(const std::string& name, std::vector<std::int64_t> to) {
    const std::filesystem::path run = folder_.path() / name;
    semiagcl::RunSettings settings;
    settings.data.folder = (folder_ / "data").string();
    settings.expectation = "Expect little & be glad.";
    settings.train.steps = 30;
    tests::put(run / "config.toml", tools::to_toml(settings));
    tests::put(run / "command.txt", "sagcl-train --preset <none>\n");
    tests::put(run / "env.json", R"({"cpu":{"model":"abacus"}})");
    tests::put(run / "status.json", R"({"state":"finished","seconds":61})");
    std::string lines;
    for (int i = 1; i <= 30; ++i)
      lines += fmt::format(
          "{{\"step\":{},\"phase\":\"train\",\"loss\":{},\"terms\":{{\"sup\":1,\"pl\":0.5,\"odd\":2}},\"ramp\":0.1,"
          "\"seconds\":2}}\n",
          i, 1.0 / i);
    lines += "{\"step\":30,\"phase\":\"validation\",\"network\":\"student\",\"dice\":0.8,\"per_class\":[0.8]}\n";
    lines += "{\"step\":30,\"phase\":\"validation\",\"network\":\"teacher\",\"dice\":0.9,\"per_class\":[0.9]}\n";
    lines += "{\"step\":30,\"phase\":\"test\",\"network\":\"student\",\"dice\":0.7,\"per_class\":[0.7]}\n";
    tests::put(run / "metrics.jsonl", lines);
    tools::Evaluation e;
    e.classes = {"hippo <campus>"};
    std::filesystem::create_directories(run / "predictions");
    for (const char* id : {"h_1", "h_2"}) {
      const auto mask = box({8, 8, 8}, {1, 1, 1}, to);
      datasets::write_nifti(run / "predictions" / (std::string(id) + ".nii.gz"), mask, {});
      tools::add_case(e, id, mask, box({8, 8, 8}, {1, 1, 1}, {5, 5, 5}), {1, 1, 1});
      to[2] -= 2;
    }
    tools::summarise(e);
    tools::write_evaluation(run / "evaluation.json", e);
    return run;
  }

  tests::Scratch folder_;
};

}  // namespace

TEST_F(Report, HoldsItsParts) {
  const std::string page = tests::content_of(tools::write_report(folder_ / "run-a"));
  for (const char* part :
       {"<!DOCTYPE html>", "Expect little &amp; be glad.", "L_sup: supervised", "L_PL: affinity graph", ">odd<",
        "Mean foreground Dice, validation cases", "student", "teacher", "hippo &lt;campus&gt;", "Best case", "Worst case",
        "data:image/png;base64,", "abacus", "sagcl-train --preset &lt;none&gt;", "[train]", "1 min 01 s"})
    EXPECT_TRUE(contains(page, part));
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find("hippo <campus>"), std::string::npos);  // nothing unescaped
  EXPECT_EQ(page.find(">Comparison<"), std::string::npos);
}

TEST_F(Report, ComparesRuns) {
  const auto other = make_run("run-b", {5, 5, 5});
  const std::string page =
      tools::report_page(folder_ / "run-a", {.compare = {other, folder_ / "run-a"}, .expectation = "Something else."});
  EXPECT_TRUE(contains(page, ">Comparison<"));
  EXPECT_TRUE(contains(page, "run-b"));
  EXPECT_TRUE(contains(page, "<p class=\"expectation\">Something else.</p>"));
  std::size_t rows = 0;
  for (std::size_t at = page.find("<tr class=\"this\">"); at != std::string::npos;
       at = page.find("<tr class=\"this\">", at + 1))
    ++rows;
  EXPECT_EQ(rows, 1u);  // the run itself is not listed twice
  for (const char* part :
       {"Furthest ahead of run-b", "Furthest behind run-b", "<figcaption>run-a: Dice", "<figcaption>run-b: Dice"})
    EXPECT_TRUE(contains(page, part));

  std::filesystem::remove_all(other / "predictions");
  const std::string poorer = tools::report_page(folder_ / "run-a", {.compare = {other}, .expectation = {}});
  EXPECT_TRUE(contains(poorer, "<figcaption>run-a: Dice"));
  EXPECT_TRUE(contains(poorer, "no prediction for case"));
}

TEST_F(Report, SaysWhatShareOfTheLabelGapARunRecovers) {
  tools::Evaluation e;
  const auto record = [&](const std::string& name, const std::string& method, double dice, std::int64_t unlabelled) {
    tools::RunRecord r;
    r.folder = name, r.settings.train.method = method, r.labelled = 12 - unlabelled, r.unlabelled = unlabelled;
    r.evaluation = e, r.evaluation->foreground_mean.dice = dice;
    return r;
  };
  const auto method = record("mine", "bcp", 0.7, 9), few = record("few", "supervised", 0.6, 9),
             pasted = record("pasted", "supervised", 0.65, 9), all = record("all", "supervised", 0.85, 0);
  EXPECT_EQ(tools::gap_text({method, few, pasted, all}),  // the better of both: 5 of 20 points
            "mine recovers 25 % of the gap between supervised training (65.0) and all labels (85.0).");
  EXPECT_TRUE(contains(tools::comparison_text({method, few, all}), "\nmine recovers 40 % of the gap"));
  EXPECT_TRUE(contains(tools::comparison_section({method, few, all}), "<p>mine recovers 40 % of the gap"));
  EXPECT_EQ(tools::gap_text({method, record("few", "supervised", 0.75, 9), all}),
            "mine (70.0) recovers nothing of the gap between supervised training (75.0) and all labels (85.0).");
  EXPECT_EQ(tools::gap_text({method, few}), "");
  EXPECT_EQ(tools::gap_text({method, few, record("some", "supervised", 0.8, 5)}), "");  // 7 labels of 12
  EXPECT_EQ(tools::gap_text({few, pasted, all}), "");
  EXPECT_EQ(tools::gap_text({method, all, record("few", "supervised", 0.9, 9)}),
            "There is no gap to recover between supervised training (90.0) and all labels (85.0).");
}

TEST_F(Report, StandsWithoutPicturesWhenTheDataWentAway) {
  std::filesystem::remove_all(folder_ / "data");
  const std::string page = tools::report_page(folder_ / "run-a");
  EXPECT_TRUE(contains(page, "No pictures:"));
  EXPECT_TRUE(contains(page, "All 2 test cases"));
}

TEST_F(Report, StandsWithoutEvaluationAndSteps) {
  std::filesystem::remove(folder_ / "run-a" / "evaluation.json");
  std::filesystem::remove(folder_ / "run-a" / "metrics.jsonl");
  EXPECT_TRUE(contains(tools::report_page(folder_ / "run-a"), "has no steps yet"));
}

TEST_F(Report, ProgramPrintsTheFile) {
  const auto outcome = tests::run("sagcl-report", {(folder_ / "run-a").string()});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, (folder_ / "run-a" / "report.html").string() + "\n");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run-a" / "report.html"));
}

namespace {

/// Of two images of 1 x 4 x 4 with a grid of 2 x 2: of the second, patch 1 is chosen for class 1, and of the first, patch 3
/// for the background. The second one's A is diagonal.
tools::MethodLook small_look(std::int64_t step) {
  semiagcl::TensorWatch shown({"*"});
  const auto show = [&](const char* name, const engine::Shape& shape, const std::vector<float>& values) {
    shown.shown(name, engine::Tensor::of(shape, values));
  };
  std::vector<float> a(32, 0.f), map, score(16);
  for (std::size_t i = 0; i < 4; ++i) a[16 + 5 * i] = 0.25f * float(i + 1);
  for (int i = 0; i < 32; ++i) map.push_back(0.75f), map.push_back(0.25f);
  for (std::size_t i = 0; i < 16; ++i) score[i] = float(i) / 16;
  show("A", {2, 4, 4}, a), show("X", {2, 1, 4, 4, 1}, std::vector<float>(32, 1.f)), show("C", {2, 1, 4, 4, 2}, map);
  show("score", {2, 4, 2}, score);
  engine::Tensor picks = engine::Tensor::zeros({2, 2}, engine::Dtype::i32);
  const std::int32_t patches[] = {3, 6, 5, 2};  // background, then class 1; the second of each does not count
  std::copy(patches, patches + 4, picks.data<std::int32_t>());
  shown.shown("picks", picks), shown.shown("counted", engine::Tensor::full({2}, 1, engine::Dtype::i32));
  semiagcl::Method method;
  method.patch_grid = {{1, 2, 2}};
  return tools::method_look(shown, step, method).value();
}

}  // namespace

TEST(MethodLook, IsOfTheImageWithMostChosenPatches) {
  const tools::MethodLook look = small_look(600);
  EXPECT_EQ(look.nodes, 4u);
  EXPECT_EQ(look.singular, (std::vector<double>{1, 0.75, 0.5, 0.25}));
  EXPECT_DOUBLE_EQ(look.trace_share, 2.5 / 4);
  EXPECT_DOUBLE_EQ(look.norm_share, 2.5 / 4);
  EXPECT_EQ(look.affinity[5], 0.5);
  EXPECT_EQ(look.picks, (std::vector<std::vector<std::int64_t>>{{}, {1}}));
  EXPECT_EQ(look.scores[1], (std::vector<double>{0.5625, 0.6875, 0.8125, 0.9375}));  // of image 1, odd numbers from 9 on
  EXPECT_EQ(look.width, 224);
  EXPECT_FALSE(tools::method_look(semiagcl::TensorWatch({"*"}), 1, {}).has_value());
}

TEST(MethodLook, IsReadBackAndForgotten) {
  tests::Scratch run;
  EXPECT_TRUE(tools::read_looks(run.path()).empty());
  for (const std::int64_t step : {12000000, 600, 800}) tools::write_look(run.path(), small_look(step));
  const auto looks = tools::read_looks(run.path());
  ASSERT_EQ(looks.size(), 3u);
  EXPECT_EQ(looks[2].step, 12000000);
  EXPECT_EQ(looks[0].scores, small_look(600).scores);
  EXPECT_EQ(looks[0].picture, small_look(600).picture);
  tools::forget_looks(run.path(), 600);
  EXPECT_EQ(tools::read_looks(run.path()).size(), 1u);
  tests::put(run / "looks/step-0000700.json", "{\"step\":700}");
  EXPECT_THROW(tools::read_looks(run.path()), engine::DataError);
}

TEST_F(Report, ShowsTheMethodAtWorkWhereItWasLookedAt) {
  EXPECT_EQ(tools::report_page(folder_ / "run-a").find("The method at work"), std::string::npos);
  for (std::int64_t step = 1; step <= 9; ++step) tools::write_look(folder_ / "run-a", small_look(step));
  const std::string page = tools::report_page(folder_ / "run-a");
  for (const char* part : {"The method at work", "tr A/N 0.625, ‖A‖*/N 0.625", ">step 1<", ">step 9<",
                           "Singular values of A", ">0.69<", "numbers: hippo &lt;campus&gt;"})
    EXPECT_TRUE(contains(page, part));
  EXPECT_EQ(page.find(">step 2<"), std::string::npos);  // five of nine
}
