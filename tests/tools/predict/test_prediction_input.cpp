#include "tests/tools/predict/prediction_support.h"
#include "tools/evaluate/prediction_input.h"

// Which files of a folder are a case, and which are channels of one.
namespace sagcl::tests {
namespace {

/// A folder with some kind of image under each of these names.
template <class Write>
void fill(const Folders& f, const Names& names, Write&& write) {
  for (const std::string& name : names) write(fs::path(f("pred")) / name);
}

Names ids(const tools::PredictionInput& input) {
  Names found;
  for (const datasets::Case& one : input.cases) found.push_back(one.id);
  return found;
}

}  // namespace

TEST(FindImages, OneChannelMakesEveryFileACase) {
  Folders f;
  fill(f, {"amos_0004.nii.gz", "amos_0006.nii.gz"}, [](const fs::path& p) { write_volume(p); });
  const tools::PredictionInput two = tools::find_images(f("pred"), {.channels = 1});
  EXPECT_EQ(ids(two), (Names{"amos_0004", "amos_0006"}));
  EXPECT_EQ(two.notes, (Names{"2 files, each one case"}));
  fs::remove(f("pred") + "/amos_0006.nii.gz");
  EXPECT_EQ(tools::find_images(f("pred"), {.channels = 1}).notes, (Names{"1 file, one case"}));
  // nnU-Net's names of images of one file: every name ends in _0000
  fs::remove(f("pred") + "/amos_0004.nii.gz");
  fill(f, {"la_003_0000.nii.gz", "la_004_0000.nii.gz"}, [](const fs::path& p) { write_volume(p); });
  const tools::PredictionInput first = tools::find_images(f("pred"), {.channels = 1});
  EXPECT_EQ(ids(first), (Names{"la_003", "la_004"}));
  EXPECT_EQ(first.notes, (Names{"2 files, each one case; masks are named without _0000"}));
  EXPECT_EQ(ids(tools::find_images(f("pred") + "/la_003_0000.nii.gz", {.channels = 1})), (Names{"la_003"}));
  EXPECT_EQ(ids(tools::find_images(f("pred"), {.channels = 1, .every_file = true})), (Names{"la_003_0000", "la_004_0000"}));
  write_volume(f("pred") + "/la_005_0001.nii.gz");
  EXPECT_EQ(ids(tools::find_images(f("pred"), {.channels = 1})), (Names{"la_003_0000", "la_004_0000", "la_005_0001"}));
}

TEST(FindImages, FramesInColourAreCasesAndCompleteGreySetsAreChannels) {
  Folders f;
  const Names frames = {"IM_0000.png", "IM_0001.png", "IM_0002.png"};
  fill(f, frames, [](const fs::path& p) { write_plane(p, true); });
  const tools::PredictionInput colour = tools::find_images(f("pred"), {.channels = 3});
  EXPECT_EQ(ids(colour), (Names{"IM_0000", "IM_0001", "IM_0002"}));
  EXPECT_EQ(colour.notes, (Names{"3 files, each one case"}));
  fill(f, frames, [](const fs::path& p) { write_plane(p); });
  const tools::PredictionInput grey = tools::find_images(f("pred"), {.channels = 3});
  ASSERT_EQ(ids(grey), (Names{"IM"}));
  for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(grey.cases[0].images[c].filename(), frames[c]);
  EXPECT_EQ(grey.notes,
            (Names{"3 files are the channels _0000 to _0002 of 1 case (--one-file-per-case if each is a case)"}));
  EXPECT_EQ(ids(tools::find_images(f("pred"), {.channels = 3, .every_file = true})),
            (Names{"IM_0000", "IM_0001", "IM_0002"}));
}

TEST(FindImages, SeveralChannelsMustBeCompleteWhereFilesHoldOneEach) {
  Folders f;
  const auto one_each = [](const fs::path& p) { write_volume(p); };
  const tools::InputOptions two{.channels = 2};
  fill(f, {"a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz", "b_0001.nii.gz"}, one_each);
  const tools::PredictionInput input = tools::find_images(f("pred"), two);
  EXPECT_EQ(ids(input), (Names{"a", "b"}));
  EXPECT_EQ(input.notes,
            (Names{"4 files are the channels _0000 to _0001 of 2 cases (--one-file-per-case if each is a case)"}));
  const auto refused = [&](std::initializer_list<std::string> parts) {
    expect_error([&] { tools::find_images(f("pred"), two); }, parts);
  };
  write_volume(f("pred") + "/b_0002.nii.gz");
  refused({"b_0002.nii.gz", "the network has 2 channels (_0000 to _0001), no channel 2", "--one-file-per-case"});
  fs::remove(f("pred") + "/b_0002.nii.gz"), fs::remove(f("pred") + "/b_0001.nii.gz");
  refused({"b_0000.nii.gz", "channel b_0001 of this case is missing", "CASE_0000 to CASE_0001"});
  fs::rename(f("pred") + "/b_0000.nii.gz", f("pred") + "/b_0001.nii.gz");
  refused({"b_0001.nii.gz", "channel b_0000 of this case is missing"});
  fs::rename(f("pred") + "/b_0001.nii.gz", f("pred") + "/b.nii.gz");
  refused({"b.nii.gz", "does not end in the number of a channel"});
  expect_error([&] { tools::find_images(f("pred") + "/a_0000.nii.gz", two); },
               {"a_0000.nii.gz", "channel a_0001 of this case is missing"});
  // files that hold both channels themselves, whatever their names
  fs::remove_all(f("pred"));
  fill(f, {"a_0000.nii.gz", "a_0001.nii.gz"}, [](const fs::path& p) { write_volume(p, 2); });
  EXPECT_EQ(ids(tools::find_images(f("pred"), two)), (Names{"a_0000", "a_0001"}));
}

TEST(FindImages, AnArrayMeansTheSameFromEveryFolder) {
  Folders f;
  for (const char* id : {"A", "B"}) {
    fs::create_directories(f("LA/" + std::string(id)));
    fs::copy_file(readers / "volume.h5", f("LA/" + std::string(id) + "/mri_norm2.h5"));
  }
  tests::put(f("LA/train.list"), "A\n"), tests::put(f("LA/test.list"), "B\n");
  for (const std::string from : {"LA", "LA/B", "LA/B/", "LA/B/mri_norm2.h5"}) {
    const tools::PredictionInput input = tools::find_images(f(from), {});
    ASSERT_EQ(ids(input), (Names{"B"})) << from;
    EXPECT_EQ(input.cases[0].axes, datasets::Axes::xyz) << from;
  }
  fs::copy_file(readers / "volume.h5", f("pred") + "/other.h5");
  EXPECT_EQ(tools::find_images(f("pred"), {}).cases[0].axes, datasets::Axes::zyx);
  EXPECT_EQ(tools::find_images(f("pred"), {.axes = datasets::Axes::xyz}).cases[0].axes, datasets::Axes::xyz);
  EXPECT_EQ(tools::find_images(f("LA/B"), {.axes = datasets::Axes::zyx}).cases[0].axes, datasets::Axes::zyx);
}

TEST(FindImages, LabelsBesideTheirImagesAreNotImages) {
  Folders f;
  for (const char* name : {"lgemri.nrrd", "laendo.nrrd"}) tests::put(f("case7/") + name, "");
  const tools::PredictionInput atrium = tools::find_images(f("case7"), {});
  EXPECT_EQ(ids(atrium), (Names{"case7"}));
  EXPECT_TRUE(contains(atrium.notes[0], "passed over as labels of images beside them: laendo.nrrd"));
  for (const char* name : {"p_frame01.nii.gz", "p_frame01_gt.nii.gz", "other_gt.nii.gz"})
    tests::put(f("patient/") + name, "");
  EXPECT_EQ(ids(tools::find_images(f("patient"), {})), (Names{"other_gt", "p_frame01"}));
}

TEST(FindImages, NothingIsPassedOverInSilence) {
  Folders f;
  tests::put(f("pred") + "/notes.txt", ""), tests::put(f("pred") + "/b.mha", "");
  fs::create_directory(f("pred") + "/more");
  expect_error<engine::MissingInput>([&] { tools::find_images(f("pred"), {}); },
                                     {"no images here", ".nrrd", "b.mha", "notes.txt", "1 folder is passed over (more)"});
  write_volume(f("pred") + "/a.nii.gz");
  EXPECT_EQ(tools::find_images(f("pred"), {}).notes.size(), 4u);
  fs::create_symlink("nowhere", f("pred") + "/c.nii.gz");
  expect_error([&] { tools::find_images(f("pred"), {}); }, {"c.nii.gz", "is a link to nowhere, which is not there"});
  fs::remove(f("pred") + "/c.nii.gz");
  fs::copy_file(readers / "volume.h5", f("pred") + "/mri_norm2.h5");
  write_volume(f("pred") + "/pred.nii");
  expect_error([&] { tools::find_images(f("pred"), {}); }, {"mri_norm2.h5", "pred.nii", "would be called pred"});
  expect_error([&] { tools::find_images(f("pred") + "/b.mha", {}); }, {"b.mha", "convert it to one of"});
}

TEST(FindImages, TheLabelsOfADataSetAreNotLookedAt) {
  Folders f;
  for (const char* id : {"c0", "c1"}) {
    write_volume(f("set/imagesTr/") + id + ".nii.gz");
    tests::put(f("set/labelsTr/") + id + ".nii.gz", "is not even an image");
  }
  EXPECT_EQ(ids(tools::find_images(f("set"), {})), (Names{"c0", "c1"}));
  tests::put(f("set/dataset.json"), R"({"labels": {"background": 0, "whole": [1, 2]}, "validation": ["c0"]})");
  const tools::PredictionInput all = tools::find_images(f("set"), {});
  EXPECT_EQ(ids(all), (Names{"c0", "c1"}));
  EXPECT_EQ(all.notes, (Names{"data set set (layout nnU-Net): its 2 cases"}));
  fs::create_symlink("nowhere", f("set/labelsTr/c2.nii.gz"));  // neither fetched nor missed
  write_volume(f("set/imagesTs/t.nii.gz"));
  const tools::PredictionInput test = tools::find_images(f("set"), {});
  EXPECT_EQ(ids(test), (Names{"t"}));
  EXPECT_EQ(test.notes, (Names{"data set set (layout nnU-Net): its 1 test case"}));

  write_plane(f("crag/train/Images/a.png"), true), write_plane(f("crag/test/Images/b.png"), true);
  fs::create_directories(f("crag/train/Annotation"));
  EXPECT_EQ(ids(tools::find_images(f("crag"), {.channels = 3})), (Names{"b"}));
  write_plane(f("tiles/Normal/image/x.png"), true);
  tests::put(f("tiles/list.tsv"), "class\tfile\tpatient\nNormal\tx.png\tp1\n");
  EXPECT_EQ(ids(tools::find_images(f("tiles"), {.channels = 3})), (Names{"Normal__x"}));
  write_volume(f("acdc/patient001/patient001_frame01.nii.gz"));
  tests::put(f("acdc/patient001/Info.cfg"), "ED: 1\n");
  EXPECT_EQ(ids(tools::find_images(f("acdc"), {})), (Names{"patient001_frame01"}));
  tests::put(f("la/a/lgemri.nrrd"), "");
  EXPECT_EQ(ids(tools::find_images(f("la"), {})), (Names{"a"}));
}

TEST(FindImages, TheNetworkSaysWhatTheNamesOfADataSetMean) {
  Folders f;
  for (const char* name : {"IM_0000.png", "IM_0001.png"}) write_plane(f("set/imagesTr/") + name);
  EXPECT_EQ(ids(tools::find_images(f("set"), {.channels = 1})), (Names{"IM_0000", "IM_0001"}));
  EXPECT_EQ(ids(tools::find_images(f("set"), {.channels = 2})), (Names{"IM"}));
}

}  // namespace sagcl::tests
