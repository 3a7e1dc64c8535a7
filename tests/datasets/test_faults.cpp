#include <gtest/gtest.h>

#include <cmath>

#include "datasets/check.h"
#include "datasets/convert.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/png.h"
#include "engine/files/read_file.h"
#include "tests/datasets/scratch.h"

// Faults of data sets: each is refused by the checker with a remedy, and the remedy, followed, makes the data set usable.
namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
namespace fs = std::filesystem;

const fs::path volumes = fs::path(SAGCL_SOURCE_DIR) / "tests/datasets/golden/readers";

void put_nifti(const fs::path& file, const Tensor& values, const Geometry& geometry = {}) {
  fs::create_directories(file.parent_path());
  write_nifti(file, values, geometry);
}
Tensor ramp() {
  Tensor t = Tensor::empty({2, 3, 4});
  for (int i = 0; i < 24; ++i) t.data<float>()[i] = float(i);
  return t;
}
Tensor half(int value) {
  Tensor t = Tensor::zeros({2, 3, 4}, engine::Dtype::u8);
  for (int i = 0; i < 12; ++i) t.data<std::uint8_t>()[i] = std::uint8_t(value);
  return t;
}
/// A data set that is in order.
void sound(const Scratch& s) {
  put_nifti(s / "imagesTr/a.nii.gz", ramp());
  put_nifti(s / "labelsTr/a.nii.gz", half(1));
  put(s / "dataset.json", R"({"labels": {"background": 0, "organ": 1}})");
}

DatasetReport look(const fs::path& folder, const std::string& rule = "") {
  return check_folder(folder, rule.empty() ? std::nullopt : std::optional(parse_label_rule(rule)));
}
/// Expects that the folder is refused with one fatal problem that holds all parts, and returns its text.
std::string refusal(const fs::path& folder, std::initializer_list<std::string> parts) {
  std::string text;
  int fatal = 0;
  for (const Problem& p : look(folder).problems)
    if (p.fatal) text = p.text, ++fatal;
  EXPECT_EQ(fatal, 1) << text;
  for (const std::string& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
  return text;
}
void expect_sound(const DatasetReport& r) {
  for (const Problem& p : r.problems) EXPECT_FALSE(p.fatal) << p.text;
  EXPECT_GT(r.labelled, 0);
}
/// The rule that a message proposes.
std::string rule_in(const std::string& text) {
  const std::size_t begin = text.find("data.label_map=") + 15;
  return text.substr(begin, text.find_first_of(" ;", begin) - begin);
}

TEST(Faults, MasksOf0And255) {
  Scratch s;
  sound(s);
  put_nifti(s / "labelsTr/a.nii.gz", half(255));
  const std::string rule = rule_in(refusal(s.path(), {"labelsTr/a.nii.gz", "255 (12 times)"}));
  EXPECT_EQ(rule, "0:0,255:1");
  expect_sound(look(s.path(), rule));
  put(s / "dataset.json",
      R"({"labels": {"background": 0, "organ": 1}, "label_map": "0:0,255:1"})");  // the other way it names
  expect_sound(look(s.path()));
  fs::remove(s / "dataset.json");  // and when no file says how many classes there are
  EXPECT_EQ(rule_in(refusal(s.path(), {"whole numbers 0 to 63", "255 (12 times)"})), "0:0,255:1");
  expect_sound(look(s.path(), "0:0,255:1"));
}

TEST(Faults, InterpolatedMasks) {
  Scratch s;
  sound(s);
  Tensor soft = half(255);
  for (int i = 0; i < 6; ++i) soft.data<std::uint8_t>()[i] = std::uint8_t(30 + 40 * i);
  put_nifti(s / "labelsTr/a.nii.gz", soft);
  const std::string rule = rule_in(refusal(s.path(), {"resampled", "30 (1 times)"}));
  EXPECT_EQ(rule, "cut:128");
  expect_sound(look(s.path(), rule));
}

TEST(Faults, NumbersOfInstances) {
  Scratch s;
  sound(s);
  Tensor numbered = half(1);
  for (int i = 0; i < 12; ++i) numbered.data<std::uint8_t>()[i] = std::uint8_t(1 + i);
  put_nifti(s / "labelsTr/a.nii.gz", numbered);
  const std::string rule = rule_in(refusal(s.path(), {"per instance"}));
  EXPECT_EQ(rule, "instances");
  expect_sound(look(s.path(), rule));
}

TEST(Faults, LabelOfAnotherShape) {
  Scratch s;
  sound(s);
  put_nifti(s / "imagesTr/b.nii.gz", Tensor::full({2, 3, 4}, 5));
  put_nifti(s / "labelsTr/b.nii.gz", Tensor::zeros({2, 4, 3}, engine::Dtype::u8));
  refusal(s.path(), {"labelsTr/b.nii.gz", "[2, 4, 3]", "[2, 3, 4]", "remove the label"});
  fs::remove(s / "labelsTr/b.nii.gz");
  expect_sound(look(s.path()));
}

TEST(Faults, MissingLabel) {
  Scratch s;
  sound(s);
  put_nifti(s / "imagesTr/b.nii.gz", Tensor::full({2, 3, 4}, 5));
  const char* listed =
      R"({"labels": {"background": 0, "organ": 1}, "training": [{"image": "imagesTr/b.nii.gz", "label": "labelsTr/b.nii.gz"}]})";
  put(s / "dataset.json", listed);
  refusal(s.path(), {"labelsTr/b.nii.gz", "does not exist", "add the file or remove it from the list"});
  put_nifti(s / "labelsTr/b.nii.gz", half(1));
  expect_sound(look(s.path()));
  fs::remove(s / "labelsTr/b.nii.gz");
  put(s / "dataset.json", R"({"labels": {"background": 0, "organ": 1}})");
  expect_sound(look(s.path()));
}

TEST(Faults, VoxelsThatAreNotNumbers) {
  Scratch s;
  sound(s);
  Tensor bad = ramp();
  bad.data<float>()[5] = NAN;
  put_nifti(s / "imagesTr/a.nii.gz", bad);
  refusal(s.path(), {"imagesTr/a.nii.gz", "1 of 24", "convert DIR --to NEW --replace-nan 0"});
  convert_dataset(open_dataset(s.path()), s / "new", {.replace_nan = 0.0f});
  expect_sound(look(s / "new"));
}

TEST(Faults, ShearedAffine) {
  Scratch s;
  sound(s);
  Geometry sheared;
  sheared.placed = true;
  sheared.affine[1] = 0.3;  // y leans towards x
  sheared.spacing[1] = std::hypot(0.3, 1);
  put_nifti(s / "imagesTr/a.nii.gz", ramp(), sheared);
  put_nifti(s / "labelsTr/a.nii.gz", half(1), sheared);
  refusal(s.path(), {"imagesTr/a.nii.gz", "16.70 degrees", "convert DIR --to NEW --fix-affine"});
  convert_dataset(open_dataset(s.path()), s / "new", {.fix_affine = true});
  const DatasetReport report = look(s / "new");
  expect_sound(report);
  EXPECT_TRUE(report.problems.empty());
}

void hearts(const Scratch& s) {
  fs::create_directories(s / "data");
  for (const char* id : {"p1_frame01", "p1_frame02", "p2_frame01"})
    fs::copy_file(volumes / "volume.h5", s / (std::string("data/") + id + ".h5"), fs::copy_options::overwrite_existing);
  put(s / "train.list", "p1_frame01\np1_frame02\n");
  put(s / "test.list", "p2_frame01\n");
}

TEST(Faults, OnePatientInTwoParts) {
  Scratch s;
  hearts(s);
  expect_sound(look(s.path()));
  put(s / "train.list", "p1_frame01\n");
  put(s / "test.list", "p1_frame02\np2_frame01\n");
  refusal(s.path(), {"patient p1", "training (case p1_frame01)", "test (case p1_frame02)", "move all cases"});
  hearts(s);  // as the text says
  expect_sound(look(s.path()));
}

TEST(Faults, WrongListEntry) {
  Scratch s;
  hearts(s);
  put(s / "train.list", "p1_frame01\np1_frame2\n");
  refusal(s.path(), {"train.list", "p1_frame2", "add the file or remove the line"});
  put(s / "train.list", "p1_frame01\n");
  expect_sound(look(s.path()));
}

TEST(Faults, TruncatedGzip) {
  Scratch s;
  sound(s);
  const std::string whole = engine::read_file(s / "imagesTr/a.nii.gz");
  put(s / "imagesTr/a.nii.gz", whole.substr(0, whole.size() - 9));
  refusal(s.path(), {"imagesTr/a.nii.gz", "copy or download"});
  put(s / "imagesTr/a.nii.gz", whole);
  expect_sound(look(s.path()));
}

TEST(Faults, HdfWithoutLabel) {
  Scratch s;
  hearts(s);
  fs::copy_file(volumes / "no_label.h5", s / "data/p1_frame02.h5", fs::copy_options::overwrite_existing);
  refusal(s.path(), {"p1_frame02.h5", "no data set 'label'", "holds image", "take the case out of the lists"});
  put(s / "train.list", "p1_frame01\n");
  expect_sound(look(s.path()));
}

TEST(Faults, TileMaskOfAnotherSize) {
  Scratch s;
  const auto png = [&](const char* file, const engine::Shape& shape, int value) {
    fs::create_directories((s / file).parent_path());
    write_png(s / file, Tensor::full(shape, value, engine::Dtype::u8));
  };
  png("train/Images/train_1.png", {6, 5, 3}, 100);
  png("train/Annotation/train_1.png", {6, 4}, 3);
  refusal(s.path(),
          {"Annotation/train_1.png", "[1, 6, 4]", "[1, 6, 5]", "resample the label onto the image without interpolation"});
  png("train/Annotation/train_1.png", {6, 5}, 3);
  expect_sound(look(s.path()));
}

/// Several faults at once are all listed.
TEST(Faults, AreListedTogether) {
  Scratch s;
  hearts(s);
  put(s / "train.list", "p1_frame01\nnobody\nnothing\n");
  put(s / "test.list", "p1_frame02\n");
  fs::copy_file(volumes / "no_label.h5", s / "data/p1_frame01.h5", fs::copy_options::overwrite_existing);
  int fatal = 0;
  for (const Problem& p : look(s.path()).problems) fatal += p.fatal;
  EXPECT_EQ(fatal, 4);  // two list entries, a label, a patient
}

}  // namespace
}  // namespace sagcl::tests
