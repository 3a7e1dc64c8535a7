#include <gtest/gtest.h>

#include "datasets/convert.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/png.h"
#include "datasets/load.h"
#include "datasets/split.h"
#include "tests/datasets/scratch.h"

// Data sets as they are passed around, made small.
namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
namespace fs = std::filesystem;

const fs::path golden_readers = fs::path(SAGCL_SOURCE_DIR) / "tests/datasets/golden/readers";

void copy(const char* from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  fs::copy_file(golden_readers / from, to, fs::copy_options::overwrite_existing);
}

std::string nrrd(char value) {
  return "NRRD0004\ntype: uchar\ndimension: 3\nspace: LPS\nsizes: 2 3 4\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nspace "
         "origin: (5,6,7)\n"
         "encoding: raw\n\n" +
         std::string(12, '\0') + std::string(12, value);
}

void nifti(const fs::path& file, int value) {
  fs::create_directories(file.parent_path());
  write_nifti(file, Tensor::full({2, 3, 4}, value, engine::Dtype::u8), {});
}

void png(const fs::path& file, const engine::Shape& shape, int value) {
  fs::create_directories(file.parent_path());
  write_png(file, Tensor::full(shape, value, engine::Dtype::u8));
}

std::vector<std::string> ids_of(const std::vector<Case>& cases) {
  std::vector<std::string> names;
  for (const Case& one : cases) names.push_back(one.id);
  return names;
}
using Names = std::vector<std::string>;

TEST(NamedLayouts, AtriumAsTheChallengeGivesIt) {
  Scratch s;
  for (const char* id : {"AAA", "BBB"}) {
    put(s / (std::string("Training Set/") + id + "/lgemri.nrrd"), nrrd(9));
    put(s / (std::string("Training Set/") + id + "/laendo.nrrd"), nrrd(char(255)));
  }
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.layout, "LA");
  EXPECT_EQ(ids_of(d.cases), (Names{"AAA", "BBB"}));
  const Image image = load_image(d.cases[0], d.channels);
  const Label label = load_label(d.cases[0], image, d.labels, d.n_classes());
  EXPECT_EQ(image.voxels.shape(), engine::Shape({4, 3, 2, 1}));
  EXPECT_EQ(label.classes.to_doubles()[23], 1);
  EXPECT_EQ(image.geometry.affine[3], -5);  // LPS became RAS
  fs::remove(s / "Training Set/BBB/laendo.nrrd");
  expect_error([&] { open_dataset(s.path()); }, {"BBB", "lacks laendo.nrrd", "copy it"});
}

TEST(NamedLayouts, AtriumAsTheCommunityPassesItAround) {
  Scratch s;
  for (const char* id : {"A", "B", "C"})
    copy("volume.h5", s / (std::string("2018LA_Seg_Training Set/") + id + "/mri_norm2.h5"));
  put(s / "train.list", "C\nA\n");
  put(s / "test.list", "B\n");
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(ids_of(d.cases), (Names{"C", "A"}));  // in the order of the list, whose first cases are the labelled ones
  EXPECT_EQ(ids_of(d.test), (Names{"B"}));
  EXPECT_EQ(load_image(d.cases[0], 1).voxels.shape(), engine::Shape({2, 3, 4, 1}));  // the file is indexed x, y, z
  const Split split = make_split(d, {.labelled = std::int64_t(1)});
  EXPECT_EQ(split.labelled, (Names{"C"}));
  EXPECT_EQ(split.unlabelled, (Names{"A"}));
  EXPECT_EQ(split.test, (Names{"B"}));
  put(s / "test.list", "D\n");
  expect_error([&] { open_dataset(s.path()); }, {"test.list", "D", "correct or remove the line"});
  put(s / "test.list", "B\nB\n");
  expect_error([&] { open_dataset(s.path()); }, {"B twice"});
}

TEST(NamedLayouts, HeartsAsTheChallengeGivesThem) {
  Scratch s;
  for (const char* patient : {"training/patient001", "training/patient002", "testing/patient101"}) {
    const std::string name = std::string(patient).substr(std::string(patient).find('/') + 1);
    put(s / (std::string(patient) + "/Info.cfg"), "ED: 1\nES: 12\n");
    put(s / (std::string(patient) + "/" + name + "_4d.nii.gz"), "never read");
    for (const char* frame : {"_frame01", "_frame12"}) {
      nifti(s / (std::string(patient) + "/" + name + frame + ".nii.gz"), 7);
      nifti(s / (std::string(patient) + "/" + name + frame + "_gt.nii.gz"), 3);
    }
  }
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.layout, "ACDC");
  EXPECT_EQ(ids_of(d.cases),
            (Names{"patient001_frame01", "patient001_frame12", "patient002_frame01", "patient002_frame12"}));
  EXPECT_EQ(d.cases[1].patient, "patient001");
  EXPECT_EQ(d.test.size(), 2u);
  EXPECT_EQ(d.n_classes(), 4);
  // A part may be given by patients; both frames go together.
  const Split split = make_split(d, {.validation = Names{"patient002"}});
  EXPECT_EQ(split.validation, (Names{"patient002_frame01", "patient002_frame12"}));
  fs::remove(s / "training/patient002/patient002_frame12_gt.nii.gz");
  expect_error([&] { open_dataset(s.path()); }, {"patient002_frame12", "no label", "add the label"});
}

TEST(NamedLayouts, HeartsAsTheCommunityPassesThemAround) {
  Scratch s;
  for (const char* id : {"patient002_frame01", "patient001_frame01", "patient003_frame02"})
    copy("volume.h5", s / (std::string("data/") + id + ".h5"));
  put(s / "train.list", "patient002_frame01\npatient001_frame01.h5\n");
  put(s / "train_slices.list", "patient002_frame01_slice_2\npatient002_frame01_slice_1\npatient001_frame01_slice_1\n");
  put(s / "val.list", "");
  put(s / "test.list", "patient003_frame02\n");
  expect_error([&] { open_dataset(s.path()); }, {"val.list", "lists no case"});
  fs::remove(s / "val.list");
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(ids_of(d.cases), (Names{"patient002_frame01", "patient001_frame01"}));
  EXPECT_EQ(d.cases[0].patient, "patient002");
  // Where a volume is missing, its slices are the cases, in the list's order.
  for (const char* slice : {"patient002_frame01_slice_1", "patient002_frame01_slice_2"})
    copy("slice.h5", s / (std::string("data/slices/") + slice + ".h5"));
  fs::remove(s / "data/patient002_frame01.h5");
  EXPECT_EQ(ids_of(open_dataset(s.path()).cases),
            (Names{"patient002_frame01_slice_2", "patient002_frame01_slice_1", "patient001_frame01"}));
}

TEST(NamedLayouts, GlandTilesWithInstances) {
  Scratch s;
  for (const char* part : {"train", "valid"})
    for (const char* tile : {"1.png", "2.png"}) {
      png(s / (std::string(part) + "/Images/" + part + "_" + tile), {6, 5, 3}, 100);
      png(s / (std::string(part) + "/Annotation/" + part + "_" + tile), {6, 5}, 17);
    }
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.layout, "CRAG");
  EXPECT_EQ(d.cases.size(), 2u);
  EXPECT_EQ(ids_of(d.test), (Names{"valid_1", "valid_2"}));
  const Image image = load_image(d.cases[0], d.channels);
  EXPECT_EQ(load_label(d.cases[0], image, d.labels, 2).classes.to_doubles(), std::vector<double>(30, 1));
  fs::remove(s / "train/Annotation/train_2.png");
  expect_error([&] { open_dataset(s.path()); }, {"train_2.png", "no mask"});
}

TEST(NamedLayouts, PairsInParts) {
  Scratch s;
  for (const char* file : {"Part1/SC-HF-I-01-IM-1.png", "Part2/SC-HF-I-01-IM-2.png", "Part2/SC-N-02-IM-1.png"}) {
    png(s / (std::string("Images/") + file), {4, 4, 3}, 30);
    png(s / (std::string("Labels/") + file), {4, 4, 3}, 255);
  }
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.cases.size(), 3u);
  EXPECT_EQ(d.cases[0].patient, d.cases[1].patient);
  const Image image = load_image(d.cases[0], d.channels);
  EXPECT_EQ(load_label(d.cases[0], image, d.labels, 2).classes.to_doubles(), std::vector<double>(16, 1));
}

/// Whatever the layout: the same voxels, classes, places, parts and patients as NIfTI.
TEST(Convert, KeepsVoxelsGeometryPartsAndPatients) {
  Scratch s;
  for (const char* id : {"A", "B"}) {
    put(s / (std::string("la/") + id + "/lgemri.nrrd"), nrrd(9));
    put(s / (std::string("la/") + id + "/laendo.nrrd"), nrrd(char(255)));
  }
  const Dataset la = open_dataset(s / "la");
  convert_dataset(la, s / "out", {});
  const Dataset back = open_dataset(s / "out");
  EXPECT_EQ(ids_of(back.cases), ids_of(la.cases));
  EXPECT_EQ(back.classes, la.classes);
  const Image a = load_image(la.cases[0], 1), b = load_image(back.cases[0], 1);
  EXPECT_EQ(a.voxels.to_doubles(), b.voxels.to_doubles());
  EXPECT_EQ(a.geometry.affine, b.geometry.affine);
  EXPECT_EQ(load_label(la.cases[0], a, la.labels, 2).classes.to_doubles(),
            load_label(back.cases[0], b, back.labels, 2).classes.to_doubles());
  expect_error<engine::UsageError>([&] { convert_dataset(la, s / "out", {}); }, {"out", "choose a new folder"});

  for (const char* id : {"p1_frame01", "p1_frame02", "p2_frame01", "p3_frame01"})
    copy("volume.h5", s / (std::string("acdc/data/") + id + ".h5"));
  put(s / "acdc/train.list", "p1_frame01\np1_frame02\n");
  put(s / "acdc/val.list", "p2_frame01\n");
  put(s / "acdc/test.list", "p3_frame01\n");
  convert_dataset(open_dataset(s / "acdc"), s / "hearts", {});
  const Dataset hearts = open_dataset(s / "hearts");
  EXPECT_EQ(ids_of(hearts.cases), (Names{"p1_frame01", "p1_frame02"}));
  EXPECT_EQ(ids_of(hearts.validation), (Names{"p2_frame01"}));
  EXPECT_EQ(ids_of(hearts.test), (Names{"p3_frame01"}));
  EXPECT_EQ(hearts.cases[1].patient, "p1");
  EXPECT_EQ(load_image(hearts.cases[0], 1).voxels.to_doubles(),
            load_image(open_dataset(s / "acdc").cases[0], 1).voxels.to_doubles());
}

}  // namespace
}  // namespace sagcl::tests
