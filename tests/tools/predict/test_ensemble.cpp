#include <algorithm>

#include <nlohmann/json.hpp>

#include "datasets/formats/formats.h"
#include "tests/tools/predict/prediction_support.h"
#include "tests/tools/small_runs.h"
#include "tools/evaluate/confidence.h"
#include "tools/run/run_folder.h"

// sagcl-predict with several networks, parts of a run's data, and how sure it says that it is.
using namespace sagcl;
using engine::Tensor;
using tests::contains;
using tests::expect_error;
using tests::Folders;
using tests::Names;
using tests::Outcome;
using tests::run;
using tests::write_checkpoint;
namespace fs = std::filesystem;

namespace {

/// A run folder as far as sagcl-predict looks into it.
void write_run(const fs::path& folder, std::uint64_t seed, const Names& unlabelled, const Names& labelled) {
  write_checkpoint(folder / "checkpoints/step-0000007.safetensors", {.network = "vnet", .seed = seed});
  const nlohmann::json none = nlohmann::json::array();
  const nlohmann::json split = {{"format", "sagcl split 1"}, {"labelled", labelled}, {"unlabelled", unlabelled},
                                {"validation", none},        {"test", none},         {"sha256", nlohmann::json::object()}};
  tests::put(folder / "split.json", split.dump());
}

Outcome predict(const Folders& f, const Names& runs, const std::string& out, const Names& more) {
  Names arguments = {"--output", f(out), "--device", "cpu", "--checkpoint"};
  for (const std::string& one : runs) arguments.push_back(f(one));
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run("sagcl-predict", arguments);
}

Tensor probabilities(const Folders& f, const std::string& out) {
  return datasets::read_image(f(out) + "/probabilities/a.nii").voxels;
}

nlohmann::json confidence(const Folders& f, const std::string& out) {
  return nlohmann::json::parse(tests::content_of(f(out) + "/confidence.json"));
}

}  // namespace

TEST(ExpectedDice, IsThatOfTheMaskAndATruthDrawnFromTheProbabilities) {
  tools::ExpectedDice dice(3);
  dice.add(Tensor::of<float>({1, 1, 2, 3}, {0.5f, 0.25f, 0.25f, 0.125f, 0.75f, 0.125f}));  // background, class 1
  dice.add(Tensor::of<float>({1, 1, 1, 3}, {0.5f, 0.5f, 0}));                              // the first of equals
  const std::vector<double> d = dice.per_class();
  ASSERT_EQ(d.size(), 2u);
  EXPECT_DOUBLE_EQ(d[0], (2 * 0.75 + 1) / (1 + 1.5 + 1));
  EXPECT_DOUBLE_EQ(d[1], (0 + 1) / (0 + 0.375 + 1));
  EXPECT_EQ(tools::ExpectedDice(2).per_class(), std::vector<double>{1});  // nowhere, and nobody expects it
}

TEST(Confidence, TheLeastSurePatientComesFirstAndAnotherFilesAreRefused) {
  Folders f;
  tools::ConfidenceFile file(f("c.json"), {"a", "b"});
  file.set({"p1_1", "p1", {0.9, 0.5}});
  file.set({"p2_1", "p2", {0.5, 0.6}});
  file.set({"p1_2", "p1", {0.3, 0.3}});
  file.set({"p2_1", "p2", {0.6, 0.6}});  // once more
  file.write();
  tools::ConfidenceFile again(f("c.json"), {"a", "b"});
  again.read();
  const auto order = again.least_sure_first();
  ASSERT_EQ(order.size(), 2u);
  EXPECT_EQ(order[0].id, "p1");
  EXPECT_EQ(order[0].cases, 2);
  EXPECT_DOUBLE_EQ(order[0].dice, 0.5);
  EXPECT_DOUBLE_EQ(order[1].dice, 0.6);
  EXPECT_EQ(nlohmann::json::parse(tests::content_of(f("c.json")))["cases"][0]["id"], "p1_2");

  tools::ConfidenceFile other(f("c.json"), {"a"});
  expect_error<engine::DataError>([&] { other.read(); }, {"was written for other classes"});
  tests::put(f("c.json"), "[1]");
  expect_error<engine::DataError>([&] { again.read(); }, {"is not a confidence.json"});
}

TEST(Ensemble, AnswersByTheMeanOfTheProbabilities) {
  Folders f;
  tests::write_volume(f("pred/a.nii.gz"));
  for (const std::uint64_t seed : {1, 2}) write_checkpoint(f("c" + std::to_string(seed)), {.network = "vnet", .seed = seed});
  const Names all = {"--input", f("pred"), "--probabilities"};
  ASSERT_EQ(predict(f, {"c1"}, "m1", all).code, 0);
  ASSERT_EQ(predict(f, {"c2"}, "m2", all).code, 0);
  const Outcome both = predict(f, {"c1", "c2"}, "m", {"--input", f("pred"), "--probabilities", "--confidence"});
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_TRUE(contains(both.err, "the mean of 2 networks"));
  const Tensor one = probabilities(f, "m1"), two = probabilities(f, "m2"), mean = probabilities(f, "m");
  const Tensor mask = datasets::read_image(f("m") + "/a.nii.gz").voxels;
  tools::ExpectedDice dice(3);
  bool differ = false;
  for (std::int64_t i = 0; i < mask.size(); ++i) {
    const float* p = mean.data<float>() + 3 * i;
    for (std::int64_t k = 0; k < 3; ++k) ASSERT_EQ(p[k], (one.data<float>()[3 * i + k] + two.data<float>()[3 * i + k]) / 2);
    ASSERT_EQ(mask.data<float>()[i], float(std::max_element(p, p + 3) - p));
    differ |= one.data<float>()[3 * i] != two.data<float>()[3 * i];
  }
  EXPECT_TRUE(differ);
  dice.add(mean);
  EXPECT_EQ(confidence(f, "m")["cases"][0]["per_class"].get<std::vector<double>>(), dice.per_class());
}

TEST(Ensemble, NetworksWithoutACommonAnswerAreRefused) {
  Folders f;
  tests::write_volume(f("pred/a.nii.gz"));
  write_checkpoint(f("c1"), {.network = "vnet"});
  write_checkpoint(f("plane"), {.network = "unet"});
  write_checkpoint(f("two"), {.network = "vnet", .channels = 2});
  for (const auto& [other, what] : {std::pair<std::string, std::string>{"plane", "different kinds of network (volumes and"},
                                    {"two", "different channels (1 and 2)"}}) {
    const Outcome o = predict(f, {"c1", other}, "m", {"--input", f("pred")});
    EXPECT_EQ(o.code, 2) << o.err;
    EXPECT_TRUE(contains(o.err, what));
  }
  EXPECT_FALSE(fs::exists(f("m")));
}

class PredictPart : public testing::Test {
 protected:
  PredictPart() {
    for (const char* id : {"a", "b", "c"}) tests::write_volume(f("data/imagesTr/") + id + "_0000.nii.gz");
    fs::create_directories(f("data/labelsTr"));
    datasets::write_nifti(f("data/labelsTr/c.nii.gz"), Tensor::zeros({17, 9, 20}, engine::Dtype::u8), {});
    tests::put(f("data/dataset.json"), R"({"channel_names": {"0": "MRI"}, "labels": {"background": 0, "x": 1, "y": 2},
                                           "numTraining": 1, "file_ending": ".nii.gz"})");
    write_run(f("r1"), 1, {"a", "b"}, {"c"});
    write_run(f("r2"), 2, {"b"}, {"a", "c"});
  }
  Folders f;
};

TEST_F(PredictPart, UnlabelledOnesAreListedByHowSureTheNetworkIs) {
  const Outcome one = predict(f, {"r1"}, "m", {"--part", "unlabelled", "--input", f("data")});
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_TRUE(contains(one.err, "2 cases that are unlabelled in the run"));
  EXPECT_TRUE(contains(one.err, "label these next"));
  EXPECT_EQ(confidence(f, "m")["cases"].size(), 2u);
  const Outcome both = predict(f, {"r1", "r2"}, "m2", {"--part", "unlabelled", "--input", f("data")});
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_TRUE(contains(both.err, "1 case that is unlabelled in all 2 runs"));
  EXPECT_EQ(confidence(f, "m2")["cases"][0]["id"], "b");
}

TEST_F(PredictPart, GoesOnWhereAFigureOrAMaskIsMissing) {
  const Names again = {"--part", "unlabelled", "--input", f("data"), "--skip-existing"};
  ASSERT_EQ(predict(f, {"r1"}, "m", again).code, 0);
  const std::string whole = tests::content_of(f("m") + "/confidence.json");
  EXPECT_TRUE(contains(predict(f, {"r1"}, "m", again).err, "2 cases left out"));
  fs::remove(f("m") + "/a.nii.gz");
  EXPECT_TRUE(contains(predict(f, {"r1"}, "m", again).err, "1 case left out"));
  EXPECT_EQ(tests::content_of(f("m") + "/confidence.json"), whole);
  fs::remove(f("m") + "/confidence.json");  // a mask may have been corrected since
  EXPECT_TRUE(contains(predict(f, {"r1"}, "m", again).err, "/a.nii.gz: is there without its line in confidence.json"));
  for (const char* mask : {"/a.nii.gz", "/b.nii.gz"}) fs::remove(f("m") + mask);
  ASSERT_EQ(predict(f, {"r1"}, "m", again).code, 0);
  EXPECT_EQ(tests::content_of(f("m") + "/confidence.json"), whole);
}

TEST_F(PredictPart, WhatCannotBeDividedIsSaid) {
  EXPECT_TRUE(contains(predict(f, {"r1"}, "m", {"--part", "test", "--input", f("data")}).err, "no case is test in the run"));
  EXPECT_TRUE(contains(predict(f, {"r1"}, "m", {}).err, "--input: give an image"));
  EXPECT_TRUE(contains(predict(f, {"r1"}, "m", {"--part", "test"}).err, "data.folder of the run"));
  fs::remove(f("r1") + "/split.json");
  const Outcome none =
      predict(f, {"r1/checkpoints/step-0000007.safetensors"}, "m", {"--part", "test", "--input", f("data")});
  EXPECT_EQ(none.code, 66);
  EXPECT_TRUE(contains(none.err, "split.json is not there"));
}

class Folds : public tests::SmallRuns {};

TEST_F(Folds, EachTrainsOnItsPartAndAllAnswerTogether) {
  std::set<std::string> validation;
  Names predicting = {"--part", "test", "--output", at("masks"), "--confidence", "--device", "cpu", "--checkpoint"};
  for (const std::string fold : {"0/2", "1/2"}) {
    const std::string name = "fold" + fold.substr(0, 1);
    const Outcome trained = train(name, {"--fold", fold});
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_TRUE(contains(trained.err, "data.validation = phantom_003 is not read"));
    const auto split = nlohmann::json::parse(tests::content_of(at(name) / "split.json"));
    ASSERT_EQ(split["validation"].size(), 2u);
    for (const auto& id : split["validation"]) validation.insert(id);
    predicting.push_back(at(name));
  }
  EXPECT_EQ(validation.size(), 4u);
  const Outcome predicted = run("sagcl-predict", predicting);
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_TRUE(contains(predicted.err, "2 cases that are test in all 2 runs"));
  EXPECT_TRUE(fs::exists(at("masks/confidence.json")));
  for (const std::string wrong : {"2/2", "-1/5", "x", "1/", "0/1"}) {
    const Outcome refused = train("wrong", {"--fold", wrong});
    EXPECT_EQ(refused.code, 2) << wrong;
    EXPECT_TRUE(contains(refused.err, "data.fold = '" + wrong + "'"));
  }
  EXPECT_TRUE(contains(train("wrong", {"--fold", "0/5"}).err, "fold 0 of 5 cannot be made of 4 patients"));
  EXPECT_TRUE(contains(train("wrong", {"--fold", "0/2", "--split", at("fold0/split.json")}).err, "both divide the data"));
}
