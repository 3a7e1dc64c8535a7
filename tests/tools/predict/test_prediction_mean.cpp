#include "engine/files/safetensors.h"
#include "tests/tools/predict/prediction_support.h"
#include "tests/tools/small_runs.h"

// What a voxel's probabilities are a mean over: windows, blended, and mirror images.
namespace sagcl::tests {
namespace {

class PredictionMean : public testing::Test {
 protected:
  PredictionMean() { write_volume(fs::path(f_("pred")) / "a.nii"), write_plane(f_("tile.png")); }

  /// The probabilities of a volume by a checkpoint of a V-Net and these options.
  std::vector<double> probabilities(Untrained u, const Names& options) {
    const Outcome outcome = predict(std::move(u), options);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    said_ = outcome.err;
    return datasets::read_nifti(f_("masks") + "/probabilities/a.nii").voxels.to_doubles();
  }
  Outcome predict(Untrained u, const Names& options) {
    write_checkpoint(f_("c.safetensors"), u);
    const std::string input = u.network == "unet" ? f_("tile.png") : f_("pred");
    Names words = {"--checkpoint", f_("c.safetensors"), "--output", f_("masks"),   "--device",
                   "cpu",          "--input",           input,      "--overwrite", "--probabilities"};
    words.insert(words.end(), options.begin(), options.end());
    return run("sagcl-predict", words);
  }
  bool said(const std::string& text) const { return said_.find(text) != std::string::npos; }

  Folders f_;
  std::string said_;
};

const Untrained windows = {.network = "vnet", .stride = {8, 8, 8}}, whole = {.network = "vnet"};

TEST_F(PredictionMean, OptionsAreThoseOfTheRun) {
  Untrained blended = windows, mirrored = windows;
  blended.blending = "gaussian", mirrored.mirror = {"H", "W"};
  const std::vector<double> plain = probabilities(windows, {});
  EXPECT_FALSE(said("evaluation.")) << said_;
  const std::vector<double> gaussian = probabilities(windows, {"--blending", "gaussian"});
  EXPECT_TRUE(said("evaluation.blending = gaussian: voxels count more near a window's centre"));
  EXPECT_NE(gaussian, plain);
  EXPECT_EQ(probabilities(blended, {}), gaussian);
  EXPECT_EQ(probabilities(blended, {"--blending", "mean"}), plain);
  const std::vector<double> two = probabilities(windows, {"--mirror", "H,W"});
  EXPECT_TRUE(said("evaluation.mirror = [H, W]: a prediction is the mean of 4 and takes 4 times as long"));
  EXPECT_FALSE(said("warning"));
  EXPECT_NE(two, plain);
  EXPECT_EQ(probabilities(mirrored, {}), two);
  EXPECT_EQ(probabilities(mirrored, {"--mirror", "none"}), plain);
}

TEST_F(PredictionMean, TrainedIsWhatTrainingMirrored) {
  Untrained one = whole;
  one.flip = {"W"};
  const std::vector<double> trained = probabilities(one, {"--mirror", "trained"});
  EXPECT_EQ(probabilities(whole, {"--mirror", "W"}), trained);
  EXPECT_NE(probabilities(whole, {"--mirror", "trained"}), trained);
  EXPECT_TRUE(said("[D, H, W]: a prediction is the mean of 8"));
  (void)probabilities(one, {"--mirror", "D,W"});
  EXPECT_TRUE(said("warning: training did not mirror along D (augment.flip = [W])"));
  const Outcome plane = predict({.network = "unet"}, {"--mirror", "trained"});
  EXPECT_EQ(plane.code, 0);
  EXPECT_TRUE(contains(plane.err, "evaluation.mirror = [H, W]"));
}

TEST_F(PredictionMean, WhatWouldDoNothingIsRefused) {
  const auto refused = [&](const Untrained& u, const Names& options, const std::string& part) {
    const Outcome outcome = predict(u, options);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, part));
    EXPECT_FALSE(fs::exists(f_("masks")));
  };
  refused(whole, {"--blending", "gaussian"}, "(evaluation.stride = []), so there are no windows to blend; leave it out");
  refused(whole, {"--blending", "max"}, "max");
  refused(whole, {"--mirror", "X"}, "'X' is not one of D, H, W");
  refused({.network = "unet"}, {"--mirror", "D"}, "which has no axis D");
  Untrained unmirrored = whole;
  unmirrored.flip = {};
  refused(unmirrored, {"--mirror", "trained"}, "training mirrored along no axis (augment.flip = []); name axes");
}

class EvaluationMean : public SmallRuns {};

TEST_F(EvaluationMean, ARunEvaluatesAsItsSettingsSayAndSagclPredictTheSame) {
  const Names set = {"--set", "evaluation.stride=1,16,16", "--set", "evaluation.blending=gaussian",
                     "--set", "evaluation.mirror=H,W"};
  const Outcome trained = train("run", set);
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(contains(trained.err, "evaluation.mirror = [H, W]: a prediction is the mean of 4 and takes 4 times as long"));
  EXPECT_TRUE(contains(content_of(at("run/config.toml")), "blending = \"gaussian\"\nmirror = [\"H\", \"W\"]"));
  Names dry = set;
  dry.push_back("--dry-run");
  EXPECT_TRUE(contains(train("dry", dry).err, "takes 4 times as long"));
  const Outcome predicted = run("sagcl-predict", {"--checkpoint", at("run/checkpoints/step-0000008.safetensors"), "--input",
                                                  at("data/imagesTs"), "--output", at("masks"), "--device", "cpu"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  for (const auto& entry : fs::directory_iterator(at("run/predictions")))
    EXPECT_TRUE(identical(datasets::read_nifti(entry.path()).voxels,
                          datasets::read_nifti(at("masks") / entry.path().filename()).voxels));
  // The training itself is the same as without.
  ASSERT_EQ(train("plain").code, 0);
  const auto weights = [&](const char* run) {
    return engine::read_safetensors(at(run) / "checkpoints/step-0000008.safetensors").tensors;
  };
  for (const auto& [name, tensor] : weights("plain")) EXPECT_TRUE(identical(weights("run").at(name), tensor)) << name;
}

TEST_F(EvaluationMean, BlendingWithoutWindowsIsRefusedBeforeTheFirstStep) {
  const Outcome outcome = train("run", {"--set", "evaluation.blending=gaussian"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "there are no windows to blend; choose mean, or windows of train.patch = [1, 32, 32]"));
  EXPECT_FALSE(fs::exists(at("run")));
}

}  // namespace
}  // namespace sagcl::tests
