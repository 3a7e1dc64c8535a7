#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "datasets/formats/nifti.h"
#include "datasets/formats/png.h"
#include "datasets/phantom.h"
#include "layers/segmenter.h"
#include "layers/weights.h"
#include "tests/tools/tools_support.h"
#include "tools/evaluate/evaluation.h"
#include "tools/run/config.h"

// The programs as a user meets them: exit codes, messages, files.
using namespace sagcl;
namespace fs = std::filesystem;
using tests::box;
using tests::contains;
using tests::Folders;
using tests::run;

namespace {

engine::Tensor plane(const engine::Tensor& mask, int factor = 1) {
  engine::Tensor p = mask.reshape({mask.shape()[1], mask.shape()[2]}).clone();
  for (std::int64_t i = 0; i < p.size(); ++i) p.data<std::uint8_t>()[i] = std::uint8_t(p.data<std::uint8_t>()[i] * factor);
  return p;
}

}  // namespace

TEST(Programs, HelpListsExitCodesAndExamples) {
  for (const char* program :
       {"sagcl-train", "sagcl-eval", "sagcl-predict", "sagcl-report", "sagcl-ideas", "sagcl-bench", "sagcl-data"}) {
    const auto help = run(program, {"--help"});
    EXPECT_EQ(help.code, 0) << program << help.err;
    EXPECT_TRUE(contains(help.out, "Exit codes: 0 done; 1 internal error; 2 command line")) << program;
    EXPECT_TRUE(contains(help.out, std::string("  ") + program + " ")) << program;
    EXPECT_TRUE(contains(run(program, {"--version"}).out, "sagcl 0.")) << program;
  }
}

TEST(Programs, UnknownOptionsAreUsageErrorsWithASuggestion) {
  const auto typo = run("sagcl-eval", {"--pred", "a", "--ref", "b", "--jsn", "c"});
  EXPECT_EQ(typo.code, 2);
  EXPECT_TRUE(contains(typo.err, "sagcl-eval: error: unknown argument --jsn (did you mean --json?)"));
  EXPECT_EQ(typo.out, "");
  EXPECT_EQ(run("sagcl-eval", {}).code, 2);
  EXPECT_EQ(run("sagcl-eval", {"--pred", "a", "--ref", "b", "--unit", "inch"}).code, 2);
  EXPECT_EQ(run("sagcl-bench", {"stepp"}).code, 2);
}

TEST(Programs, MessagesAreColouredOnlyWhenWanted) {
  EXPECT_EQ(run("sagcl-eval", {}, "NO_COLOR=1").err.find('\033'), std::string::npos);
  EXPECT_EQ(run("sagcl-eval", {}).err.find('\033'), std::string::npos);  // not a terminal
  EXPECT_TRUE(contains(run("sagcl-eval", {}, "FORCE_COLOR=1").err, "\033[31;1merror:"));
}

TEST(Programs, MessagesHoldNoBytesThatATerminalObeys) {
  const auto odd = run("sagcl-train", {"--preset", "a\033[2Jb\xff", "--data", ".", "--out", "x"});
  EXPECT_EQ(odd.code, 2);
  EXPECT_TRUE(contains(odd.err, "a%1B[2Jb%FF")) << odd.err;
}

TEST(Evaluate, FoldersOfPngMasks) {
  Folders f;
  datasets::write_png(f("pred") + "/a.png", plane(box({1, 16, 16}, {0, 3, 4}, {1, 9, 12})));
  datasets::write_png(f("ref") + "/a.png", plane(box({1, 16, 16}, {0, 5, 2}, {1, 12, 10})));
  const auto outcome =
      run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--json", f("out.json"), "--names", "gland"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "46.15"));  // Dice
  EXPECT_TRUE(contains(outcome.out, "gland"));
  const tools::Evaluation e = tools::read_evaluation(f("out.json"));
  EXPECT_NEAR(e.foreground_mean.dice, 0.461538, 1e-6);
  EXPECT_NEAR(e.mean[0].hd95, 3, 1e-6);
}

TEST(Evaluate, MasksStoredAs0And255NeedAMap) {
  Folders f;
  for (const char* folder : {"pred", "ref"})
    datasets::write_png(f(folder) + "/a.png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3}), 255));
  const auto refused = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref")});
  EXPECT_EQ(refused.code, 65);
  EXPECT_TRUE(contains(refused.err, "--map 0:0,255:1"));
  const auto accepted = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--map", "0:0,255:1"});
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  EXPECT_TRUE(contains(accepted.out, "100.00"));
  EXPECT_EQ(run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--map", "255=1"}).code, 2);
  // what sagcl-predict writes holds classes already: the rule is the reference's
  datasets::write_png(f("pred") + "/a.png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3}), 1));
  for (const char* rule : {"0:0,255:1", ">=128", "instances"}) {
    const auto mixed = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--map", rule});
    EXPECT_EQ(mixed.code, 0) << mixed.err;
    EXPECT_TRUE(contains(mixed.out, "100.00")) << rule;
  }
}

TEST(Evaluate, AMapIsForTheSideThatNeedsIt) {
  Folders f;
  const engine::Tensor square = plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3}));
  datasets::write_png(f("pred") + "/a.png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3}), 255));
  datasets::write_png(f("ref") + "/a.png", square);
  const auto refused = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref")});
  EXPECT_TRUE(contains(refused.err, "holds the value 255; if it is a class, give --classes 256;")) << refused.err;
  const auto followed = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--map", "0:0,255:1"});
  EXPECT_TRUE(contains(followed.out, "100.00")) << followed.err;
  // A map that lists 1 with another meaning: predictions of 0 and 1 could be read both ways.
  datasets::write_png(f("pred") + "/a.png", square);
  engine::Tensor several = plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3}), 3);
  several.data<std::uint8_t>()[0] = 1, several.data<std::uint8_t>()[1] = 2;
  datasets::write_png(f("ref") + "/a.png", several);
  const std::vector<std::string> pick = {"--pred", f("pred"), "--ref", f("ref"), "--map", "0:0,1:0,2:0,3:1"};
  const auto ambiguous = run("sagcl-eval", pick);
  EXPECT_EQ(ambiguous.code, 2) << ambiguous.out;
  EXPECT_TRUE(contains(ambiguous.err, "--pred-map classes"));
  auto with = [&](const std::string& rule) {
    std::vector<std::string> arguments = pick;
    arguments.insert(arguments.end(), {"--pred-map", rule});
    return run("sagcl-eval", arguments);
  };
  EXPECT_TRUE(contains(with("classes").out, "100.00"));
  EXPECT_TRUE(contains(with("0:0,1:0,2:0,3:1").out, "empty_prediction"));
}

/// The same against a data set, whose own rule and names give way to the map.
TEST(Evaluate, AMapReachesADataSet) {
  Folders f;
  engine::Tensor classes = engine::Tensor::zeros({2, 3, 4}, engine::Dtype::u8), third = classes.clone();
  for (int i = 0; i < 12; ++i)
    classes.data<std::uint8_t>()[i] = std::uint8_t(i % 4), third.data<std::uint8_t>()[i] = i % 4 == 3;
  for (const char* part : {"imagesTr", "labelsTr"}) std::filesystem::create_directories(f("set") + "/" + part);
  datasets::write_nifti(f("set") + "/imagesTr/a.nii", engine::Tensor::full({2, 3, 4}, 1), {});
  datasets::write_nifti(f("set") + "/labelsTr/a.nii", classes, {});
  tests::put(f("set") + "/dataset.json", R"({"labels": {"background": 0, "k1": 1, "k2": 2, "k3": 3}})");
  datasets::write_nifti(f("pred") + "/a.nii", third, {});
  const auto outcome =
      run("sagcl-eval", {"--pred", f("pred"), "--ref", f("set"), "--map", "0:0,1:0,2:0,3:1", "--pred-map", "classes"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "100.00"));
  EXPECT_FALSE(contains(outcome.out, "k1"));
}

/// nnU-Net's ignore label: what was predicted there does not count.
TEST(Evaluate, VoxelsThatNobodyAnnotatedDoNotCount) {
  Folders f;
  engine::Tensor truth = engine::Tensor::zeros({2, 3, 4}, engine::Dtype::u8), predicted = truth.clone();
  for (int i = 0; i < 24; ++i) {
    truth.data<std::uint8_t>()[i] = std::uint8_t(i < 8 ? 1 : i < 16 ? 2 : 0);
    predicted.data<std::uint8_t>()[i] = i < 13;
  }
  for (const char* part : {"imagesTr", "labelsTr"}) std::filesystem::create_directories(f("set") + "/" + part);
  datasets::write_nifti(f("set") + "/imagesTr/a.nii", engine::Tensor::full({2, 3, 4}, 1), {});
  datasets::write_nifti(f("set") + "/labelsTr/a.nii", truth, {});
  tests::put(f("set") + "/dataset.json", R"({"labels": {"background": 0, "organ": 1, "ignore": 2}})");
  datasets::write_nifti(f("pred") + "/a.nii", predicted, {});
  const auto outcome = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("set")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "100.00")) << outcome.out;
}

TEST(Evaluate, AClassThatNoMaskHoldsDoesNotLiftTheMean) {
  Folders f;
  for (const char* folder : {"pred", "ref"})
    datasets::write_png(f(folder) + "/a.png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3})));
  datasets::write_png(f("pred") + "/a.png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 4})));
  const auto outcome = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--classes", "4", "--json", f("e.json")});
  EXPECT_TRUE(contains(outcome.out, "in no mask: not in the mean")) << outcome.out;
  const tools::Evaluation e = tools::read_evaluation(f("e.json"));
  EXPECT_EQ(e.foreground_mean.dice, e.mean[0].dice);
  EXPECT_TRUE(e.in_no_mask(2));
}

TEST(Evaluate, SaysWhatItPassesOver) {
  Folders f;
  for (const char* folder : {"pred", "ref"})
    datasets::write_png(f(folder) + "/a.png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3})));
  tests::put(f("pred") + "/summary.json", "{}");
  tests::put(f("ref") + "/b.mha", "x");
  const auto outcome = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref")});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(contains(outcome.err, "(summary.json)"));
  EXPECT_TRUE(contains(outcome.err, "(b.mha)"));
}

TEST(Evaluate, MillimetresComeFromTheReference) {
  Folders f;
  datasets::Geometry g;
  g.spacing = {2, 2, 2};
  g.affine = {2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1};
  datasets::write_nifti(f("pred") + "/a.nii.gz", box({4, 4, 8}, {1, 1, 1}, {3, 3, 3}), g);
  datasets::write_nifti(f("ref") + "/a.nii.gz", box({4, 4, 8}, {1, 1, 3}, {3, 3, 5}), g);
  ASSERT_EQ(run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--json", f("mm.json"), "--unit", "mm"}).code, 0);
  ASSERT_EQ(run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--json", f("v.json")}).code, 0);
  EXPECT_DOUBLE_EQ(tools::read_evaluation(f("mm.json")).mean[0].hd95, 2 * tools::read_evaluation(f("v.json")).mean[0].hd95);
}

TEST(Evaluate, MillimetresAreNotMadeUp) {
  Folders f;
  for (const char* side : {"pred", "ref"}) {
    fs::create_directories(f(side + std::string("3d")));
    datasets::write_png(f(side) + "/a.png", plane(box({1, 16, 16}, {0, 3, 4}, {1, 9, 12})));
    datasets::write_nifti(f(side + std::string("3d")) + "/a.nii.gz", box({4, 4, 8}, {1, 1, 1}, {3, 3, 3}),
                          {});  // of an array
  }
  for (const char* kind : {"", "3d"}) {
    const tests::Outcome o =
        run("sagcl-eval", {"--pred", f("pred" + std::string(kind)), "--ref", f("ref" + std::string(kind)), "--unit", "mm"});
    EXPECT_EQ(o.code, 65);
    EXPECT_TRUE(contains(o.err, "case a: its files do not say how large a voxel is, so distances in mm are unknown"))
        << o.err;
  }
}

/// Masks of validation cases, as for choosing post-processing, of data that have a test part: no test mask is asked for.
TEST(Evaluate, MasksOfValidationCasesDoNotCallForTheTest) {
  Folders f;
  datasets::write_phantoms(f("data"), {.extents = {{1, 32, 32}}, .seed = 3}, 4, 0, 2);
  fs::copy_file(f("data") + "/labelsTr/phantom_003.nii.gz", f("pred") + "/phantom_003.nii.gz");
  const tests::Outcome o =
      run("sagcl-eval", {"--pred", f("pred"), "--ref", f("data"), "--choose-post-processing", f("post.json")});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(contains(o.err, "none of its 2 test cases is predicted")) << o.err;
  fs::copy_file(f("data") + "/labelsTs/phantom_004.nii.gz", f("pred") + "/phantom_004.nii.gz");
  EXPECT_TRUE(
      contains(run("sagcl-eval", {"--pred", f("pred"), "--ref", f("data")}).err, "no prediction for 1 of 2 test cases"));
}

TEST(Evaluate, NamesWhatIsMissingOrDoesNotMatch) {
  Folders f;
  EXPECT_EQ(run("sagcl-eval", {"--pred", f("nowhere"), "--ref", f("ref")}).code, 66);
  EXPECT_EQ(run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref")}).code, 66);  // empty folders
  for (const char* id : {"a", "b"})
    datasets::write_png(f("ref") + "/" + id + ".png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3})));
  datasets::write_png(f("pred") + "/a.png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3})));
  const auto missing = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref")});
  EXPECT_EQ(missing.code, 65);
  EXPECT_TRUE(contains(missing.err, "no prediction for 1 of 2 references (b)"));
  datasets::write_png(f("pred") + "/b.png", plane(box({1, 4, 5}, {0, 1, 1}, {1, 3, 3})));
  const auto extents = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref")});
  EXPECT_EQ(extents.code, 65);
  EXPECT_TRUE(contains(extents.err, "b.png: has extents [1, 4, 5]"));
  tests::put(f("pred") + "/b.png", "not a png");
  EXPECT_EQ(run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref")}).code, 65);
}

TEST(Evaluate, AnUnwritableFileIsAnIoError) {
  Folders f;
  for (const char* folder : {"pred", "ref"})
    datasets::write_png(f(folder) + "/a.png", plane(box({1, 4, 4}, {0, 1, 1}, {1, 3, 3})));
  const auto outcome = run("sagcl-eval", {"--pred", f("pred"), "--ref", f("ref"), "--json", f("nowhere/deep/out.json")});
  EXPECT_EQ(outcome.code, 74) << outcome.err;
}

// Train, predict with the checkpoint, compare: the same masks and the same figures as the run's own.
TEST(Programs, PredictAndEvalRepeatWhatTrainingFound) {
  Folders f;
  const std::string data = std::string(SAGCL_SOURCE_DIR) + "/data/hippocampus";
  const auto train = run("sagcl-train", {"--preset",  "hippocampus",
                                         "--data",    data,
                                         "--out",     f("run"),
                                         "--labeled", "2",
                                         "--device",  "cpu",
                                         "--set",     "train.steps=3",
                                         "--set",     "network.width=2",
                                         "--set",     "train.batch=2",
                                         "--set",     "train.patch=32,32,32",
                                         "--set",     "data.test=2"});
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_TRUE(contains(tests::content_of(f("run/report.html")), "Predictions on test cases"));
  for (const auto& entry : std::filesystem::directory_iterator(f("run/predictions"))) {
    const std::string name = entry.path().filename().string();
    std::filesystem::copy_file(data + "/imagesTr/" + name, f("pred") + "/" + name);
    std::filesystem::copy_file(data + "/labelsTr/" + name, f("ref") + "/" + name);
  }
  const auto predict = run("sagcl-predict", {"--checkpoint", f("run/checkpoints/step-0000003.safetensors"), "--input",
                                             f("pred"), "--output", f("masks"), "--device", "cpu"});
  ASSERT_EQ(predict.code, 0) << predict.err;
  for (const auto& entry : std::filesystem::directory_iterator(f("run/predictions")))
    EXPECT_EQ(tests::content_of(entry.path()),
              tests::content_of(std::filesystem::path(f("masks")) / entry.path().filename()))
        << entry.path();
  const auto eval = run("sagcl-eval", {"--pred", f("masks"), "--ref", f("ref"), "--classes", "3", "--names",
                                       "Anterior,Posterior", "--json", f("again.json")});
  ASSERT_EQ(eval.code, 0) << eval.err;
  EXPECT_EQ(tests::content_of(f("again.json")), tests::content_of(f("run/evaluation.json")));
}

TEST(Bench, PrintsOneLineOfJsonPerStepMeasurement) {
  const auto outcome = run("sagcl-bench", {"step", "--net", "unet", "--shape", "32,32", "--width", "4", "--steps", "2",
                                           "--warm", "1", "--threads", "1", "--device", "cpu"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* field : {"\"step_median\":", "\"peak_MiB\":", "\"allocator_MiB\":", "\"parameters\":", "\"net\":\"unet\"",
                            "\"shape\":[32,32]"})
    EXPECT_TRUE(contains(outcome.out, field));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1);
  EXPECT_EQ(run("sagcl-bench", {"step", "--shape", "32,32"}).code, 2);  // vnet needs three extents
}

TEST(Bench, TellsHowFarF32IsFromF64) {
  Folders f;
  const auto errors = [&](const char* path) {
    const auto outcome = run("sagcl-bench", {"ops", "--errors", "--filter", "conv/1x4x4x3", "--json", f("errors.json")},
                             fmt::format("SAGCL_CONV={}", path));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(tests::content_of(f("errors.json")))["ops"][0]["errors"].get<std::vector<double>>();
  };
  const std::vector<double> direct = errors("direct"), winograd = errors("winograd4");
  ASSERT_EQ(direct.size(), 4u);  // of the result and the gradients of x, w and b
  for (std::size_t k = 0; k < 4; ++k) EXPECT_TRUE(direct[k] > 1e-9 && direct[k] < 5e-6) << direct[k];
  for (std::size_t k = 0; k < 3; ++k) EXPECT_GT(winograd[k], direct[k]);  // larger tiles add numbers that nearly cancel
  EXPECT_EQ(run("sagcl-bench", {"ops", "--errors", "--filter", "conv/1x4x4x3"}, "SAGCL_CONV=fast").code, 2);
}

TEST(Bench, TimesOneOperation) {
  const auto outcome = run("sagcl-bench", {"ops", "--filter", "nuclear_norm/4x8x8", "--seconds", "0.01", "--device", "cpu"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "nuclear_norm/4x8x8"));
  EXPECT_EQ(run("sagcl-bench", {"ops", "--filter", "no such thing", "--device", "cpu"}).code, 2);
}

TEST(Bench, TimesTheKernelsOfALesserProcessor) {
  const std::vector<std::string> step = {"step",   "--shape", "32,16,16",  "--width", "2",        "--steps", "1",
                                         "--warm", "0",       "--threads", "1",       "--device", "cpu"};
  EXPECT_EQ(run("sagcl-bench", step, "SAGCL_ISA=baseline").code, 0);
  auto small = step;
  small[2] = "16,16,16";  // one voxel at the deepest stage
  const auto refused = run("sagcl-bench", small);
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(contains(refused.err, "one value has no variance"));
  EXPECT_TRUE(contains(refused.err, "(train.batch)"));
  const auto unknown = run("sagcl-bench", step, "SAGCL_ISA=sse9");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_TRUE(contains(unknown.err, "no CPU kernels named 'sse9'"));
  EXPECT_TRUE(contains(unknown.err, "baseline"));
}
