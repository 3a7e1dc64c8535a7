// Images that lie in the patient otherwise than the others, as people meet them in training, prediction and check.
#include <gtest/gtest.h>

#include "tests/tools/tools_support.h"

namespace sagcl::tests {
namespace {

/// The hippocampus cases of the repository lie alike; one of them is turned.
TEST(Orientations, OfTrainingAndPredictionAreCompared) {
  Scratch s;
  const fs::path source = fs::path(SAGCL_SOURCE_DIR) / "data/hippocampus", data = s / "data";
  const std::vector<std::string> ids = {"hippocampus_001", "hippocampus_003", "hippocampus_007"};
  for (const char* part : {"imagesTr", "labelsTr"}) {
    fs::create_directories(data / part);
    for (const std::string& id : ids) fs::copy_file(source / part / (id + ".nii.gz"), data / part / (id + ".nii.gz"));
  }
  put(data / "dataset.json", R"({"labels": {"background": 0, "Anterior": 1, "Posterior": 2}})");
  const std::string turned = (s / "turned").string();
  ASSERT_EQ(run("sagcl-data", {"convert", data.string(), "--to", turned, "--orientation", "PSR"}).code, 0);
  EXPECT_EQ(run("sagcl-data", {"convert", data.string(), "--to", (s / "x").string(), "--orientation", "XYZ"}).code, 2);
  const auto train = [&](const std::string& name) {
    return run("sagcl-train", {"--preset",
                               "hippocampus",
                               "--data",
                               data.string(),
                               "--out",
                               (s / name).string(),
                               "--method",
                               "supervised",
                               "--no-report",
                               "--device",
                               "cpu",
                               "--set",
                               "train.steps=2",
                               "--set",
                               "network.width=2",
                               "--set",
                               "train.batch=2",
                               "--set",
                               "train.patch=16,32,16",
                               "--set",
                               "data.test=0",
                               "--set",
                               "data.validation=0",
                               "--set",
                               "data.labelled=1.0",
                               "--set",
                               "train.restarts=0"});
  };
  Outcome o = train("alike");
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_FALSE(contains(o.err, "grow to different sides"));
  const auto predict = [&](const fs::path& image) {
    return run("sagcl-predict", {"--checkpoint", (s / "alike").string(), "--input", image.string(), "--output",
                                 (s / "masks").string(), "--device", "cpu", "--overwrite"});
  };
  const std::string file = "hippocampus_001_0000.nii.gz";
  o = predict(fs::path(turned) / "imagesTr" / file);
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(contains(o.err, "lie PSR and those of the training images RAS"));
  EXPECT_FALSE(contains(predict(data / "imagesTr/hippocampus_001.nii.gz").err, "lie "));

  fs::rename(fs::path(turned) / "imagesTr" / file, data / "imagesTr/hippocampus_001.nii.gz");
  fs::rename(fs::path(turned) / "labelsTr/hippocampus_001.nii.gz", data / "labelsTr/hippocampus_001.nii.gz");
  o = train("mixed");
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(contains(o.err, "RAS in hippocampus_003 and hippocampus_007, PSR in hippocampus_001"));
  o = run("sagcl-data", {"check", data.string()});
  EXPECT_TRUE(contains(o.out, "PSR in hippocampus_001; write copies that lie alike with: sagcl-data convert DIR"));
}

}  // namespace
}  // namespace sagcl::tests
