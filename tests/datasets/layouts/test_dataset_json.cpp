#include <gtest/gtest.h>

#include "datasets/convert.h"
#include "datasets/load.h"
#include "datasets/store.h"
#include "tests/datasets/layouts/named_folder.h"

// What dataset.json may say.
namespace sagcl::tests {
namespace {

TEST(DatasetJson, PairsOfOtherNames) {
  Folder f;
  for (const char* n : {"1", "2", "3"})
    f.image(std::string("imagesTr/img000") + n + ".nii.gz", float(n[0])),
        f.mask(std::string("labelsTr/label000") + n + ".nii.gz");
  f.json("{" + labels + R"(, "training": [{"image": "imagesTr/img0001.nii.gz", "label": "labelsTr/label0001.nii.gz"},
    {"image": ".\\imagesTr\\img0002.nii.gz", "label": ".\\labelsTr\\label0002.nii.gz"}],
    "validation": [{"image": "imagesTr/img0003.nii.gz", "label": "labelsTr/label0003.nii.gz"}]})");
  const Dataset d = f.open();
  EXPECT_EQ(ids(d.cases), (Ids{"img0001", "img0002"}));
  EXPECT_EQ(ids(d.validation), (Ids{"img0003"}));
  EXPECT_EQ(d.cases[1].label.filename(), "label0002.nii.gz");
  EXPECT_TRUE(d.warnings.empty()) << d.warnings[0];
  EXPECT_EQ(check_dataset(d).labelled, 3);
}

/// nnU-Net 1 lists c.nii.gz for the file c_0000.nii.gz.
TEST(DatasetJson, NnUnet1LeavesTheChannelOut) {
  Folder f;
  f.image("imagesTr/c_0000.nii.gz", 3), f.image("imagesTr/c_0001.nii.gz", 4), f.mask("labelsTr/c.nii.gz");
  f.json("{" + labels + R"(, "modality": {"0": "T1", "1": "T2"}, "numTraining": 1,
    "training": [{"image": "./imagesTr/c.nii.gz", "label": "./labelsTr/c.nii.gz"}]})");
  const Dataset d = f.open();
  ASSERT_EQ(ids(d.cases), (Ids{"c"}));
  EXPECT_EQ(d.channels, 2);
  EXPECT_TRUE(d.warnings.empty());
  f.json("{" + labels + R"(, "training": [{"image": "./imagesTr/d.nii.gz", "label": "./labelsTr/c.nii.gz"}]})");
  expect_error([&] { f.open(); }, {"imagesTr/d.nii.gz", "does not exist"});
}

TEST(DatasetJson, AListThatIsShorterThanTheFolder) {
  Folder f;
  for (const char* n : {"a", "b", "c"})
    f.image(std::string("imagesTr/") + n + ".nii"), f.mask(std::string("labelsTr/") + n + ".nii");
  f.image("imagesTr/u.nii");
  f.json("{" + labels + R"(, "numTraining": 7, "training": [{"image": "imagesTr/a.nii", "label": "labelsTr/a.nii"}]})");
  const Dataset d = f.open();
  EXPECT_EQ(ids(d.cases), (Ids{"a", "u"}));  // u has no label: an unlabelled case, which no pair can name
  EXPECT_TRUE(f.warned(d, "does not list 2 labelled images")) << d.warnings.size();
  EXPECT_TRUE(f.warned(d, "(b, c)"));
  EXPECT_TRUE(f.warned(d, "'numTraining' is 7, but there are 1 labelled"));
}

TEST(DatasetJson, ChannelNamesMustFit) {
  Folder f;
  f.image("imagesTr/a_0000.nii"), f.mask("labelsTr/a.nii");
  f.json("{" + labels + R"(, "channel_names": {"0": "FLAIR", "1": "T1"}})");
  expect_error([&] { f.open(); }, {"dataset.json", "names 2 channels", "have 1"});
  f.image("imagesTr/a_0001.nii");
  EXPECT_EQ(f.open().channels, 2);
  EXPECT_EQ(f.open().channel_names, (std::vector<std::string>{"FLAIR", "T1"}));
  convert_dataset(f.open(), f.s / "copy", {});
  EXPECT_EQ(open_dataset(f.s / "copy").channel_names, (std::vector<std::string>{"FLAIR", "T1"}));
  EXPECT_EQ(parse_dataset_json(R"({"modality": {"1": 7, "0": "CT"}})", "x").channels, (std::vector<std::string>{"CT", ""}));
}

TEST(DatasetJson, ClassesAsTheyAreWritten) {
  EXPECT_EQ(parse_dataset_json(R"({"labels": {"background": "0", "tumour": "1"}})", "x").classes,
            (Ids{"background", "tumour"}));
  EXPECT_EQ(parse_dataset_json(R"({"labels": {"background": 0, "a\u001b[2J": 1}})", "x").classes[1], "a%1B[2J");
  const DatasetNotes notes = parse_dataset_json(R"({"labels": {"background": 0, "organ": 1, "ignore": 2}})", "x");
  EXPECT_EQ(notes.classes, (Ids{"background", "organ"}));
  EXPECT_EQ(notes.labels.ignored, 2);
  EXPECT_EQ(parse_dataset_json(R"({"label_map": {"255": 1}})", "x").labels.map,
            (std::map<std::int64_t, std::int64_t>{{0, 0}, {255, 1}}));
  EXPECT_EQ(parse_dataset_json(R"({"label_threshold": 0.5})", "x").labels.threshold, 0.5);
}

/// Voxels that nobody annotated are neither learnt nor scored, and converting keeps them.
TEST(DatasetJson, IgnoredVoxels) {
  Folder f;
  f.image("imagesTr/a.nii"), f.mask("labelsTr/a.nii", 2), f.image("imagesTr/b.nii", 2), f.mask("labelsTr/b.nii", 1);
  f.json(R"({"labels": {"background": 0, "organ": 1, "ignore": 2}})");
  const Dataset d = f.open();
  EXPECT_EQ(d.n_classes(), 2);
  const std::vector<Sample> samples = load_samples(d, {"a"}, Normalisation::none, true);
  std::vector<double> expected(24, not_annotated);
  expected[0] = 0;
  EXPECT_EQ(samples[0].label.to_doubles(), expected);
  convert_dataset(d, f.s / "out", {});
  const Dataset again = open_dataset(f.s / "out");
  EXPECT_EQ(again.labels.ignored, 2);
  EXPECT_EQ(again.classes, d.classes);
  EXPECT_EQ(load_samples(again, {"a"}, Normalisation::none, true)[0].label.to_doubles(), expected);
}

TEST(DatasetJson, ClassesOfOneNameStayApart) {
  Folder f;
  f.image("imagesTr/a.nii"), f.mask("labelsTr/a.nii", 2);
  f.json(R"({"labels": {"0": "background", "1": "kidney", "2": "kidney", "3": ""}})");
  convert_dataset(f.open(), f.s / "out", {});
  EXPECT_EQ(open_dataset(f.s / "out").classes, (Ids{"background", "kidney", "kidney 2", "class 3"}));
}

TEST(DatasetJson, FramesOfOnePatient) {
  Folder f;
  for (const char* n : {"patient001_frame01", "patient001_frame12", "patient002_frame01", "patient002_frame14"})
    f.image(std::string("imagesTr/") + n + "_0000.nii"), f.mask(std::string("labelsTr/") + n + ".nii");
  f.json("{" + labels + "}");
  EXPECT_TRUE(f.warned(f.open(), "\"patient_until\": \"_frame\""));
  f.json("{" + labels + R"(, "patient_until": "_frame"})");
  EXPECT_TRUE(f.open().warnings.empty());
  EXPECT_EQ(f.open().cases[0].patient, "patient001");
}

}  // namespace
}  // namespace sagcl::tests
