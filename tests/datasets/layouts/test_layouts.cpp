#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "datasets/formats/nifti.h"
#include "datasets/formats/png.h"
#include "datasets/layouts/layouts.h"
#include "datasets/load.h"
#include "datasets/phantom.h"
#include "tests/datasets/scratch.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::DataError;
using engine::Shape;

const std::filesystem::path data = std::filesystem::path(SAGCL_SOURCE_DIR) / "data";

Tensor volume(const Shape& shape, float value = 1) { return Tensor::full(shape, double(value)); }
Tensor mask(const Shape& shape, int value = 1) { return Tensor::full(shape, value, engine::Dtype::u8); }
const std::string two_classes = R"({"labels": {"background": 0, "organ": 1}})";

/// imagesTr with cases a (labelled) and b (not), a dataset.json with two classes.
void write_small(const Scratch& s) {
  for (const char* part : {"imagesTr", "labelsTr"}) std::filesystem::create_directories(s / part);
  write_nifti(s / "imagesTr/a.nii.gz", volume({2, 3, 4}), {});
  write_nifti(s / "imagesTr/b.nii.gz", volume({2, 3, 4}), {});
  write_nifti(s / "labelsTr/a.nii.gz", mask({2, 3, 4}), {});
  put(s / "dataset.json", two_classes);
}

TEST(Layouts, HippocampusOfTheRepository) {
  const Dataset d = open_dataset(data / "hippocampus");
  EXPECT_EQ(d.name, "Hippocampus");
  EXPECT_EQ(d.classes, (std::vector<std::string>{"background", "Anterior", "Posterior"}));
  EXPECT_EQ(d.channels, 1);
  ASSERT_EQ(d.cases.size(), 20u);
  EXPECT_EQ(d.cases.front().id, "hippocampus_001");
  EXPECT_EQ(d.cases.back().id, "hippocampus_394");
  for (const Case& one : d.cases) EXPECT_TRUE(one.has_label());
  const Image image = load_image(d.cases[0], 1);
  EXPECT_EQ(image.voxels.shape(), Shape({35, 51, 35, 1}));  // z, y, x
  const Label label = load_label(d.cases[0], image, d.labels, 3);
  std::int64_t count[3] = {};
  for (std::uint8_t v : label.classes.to_vector<std::uint8_t>()) ++count[v];
  EXPECT_GT(count[1], 500);
  EXPECT_GT(count[2], 500);
}

TEST(Layouts, GlandsOfTheRepository) {
  const Dataset d = open_dataset(data / "glands");
  EXPECT_EQ(d.n_classes(), 2);
  EXPECT_EQ(d.channels, 3);
  ASSERT_EQ(d.cases.size(), 15u);
  EXPECT_EQ(d.cases[0].id, "Adenocarcinoma__GT2001838-1-400-003");
  EXPECT_EQ(d.cases[0].patient, "2001838");
  const Image image = load_image(d.cases[0], 3);
  EXPECT_EQ(image.voxels.shape(), Shape({1, 224, 224, 3}));
  const Label label = load_label(d.cases[0], image, d.labels, 2);
  double sum = 0;
  for (double v : label.classes.to_doubles()) sum += v;
  EXPECT_NEAR(sum / double(label.classes.size()), 0.6789, 1e-4);  // foreground_fraction of list.tsv
}

TEST(Layouts, SunnybrookOfTheRepository) {
  const Dataset d = open_dataset(data / "sunnybrook");
  EXPECT_EQ(d.layout, "Sunnybrook");
  EXPECT_EQ(d.classes, (std::vector<std::string>{"background", "left ventricle"}));
  EXPECT_EQ(d.channels, 1);
  ASSERT_EQ(d.cases.size(), 526u);
  std::set<std::string> patients;
  for (const Case& one : d.cases) patients.insert(one.patient);
  EXPECT_EQ(patients.size(), 30u);
  EXPECT_EQ(*patients.begin(), "SC-HF-I-01");
  const Image image = load_image(d.cases[0], 1);
  EXPECT_EQ(image.voxels.shape(), Shape({1, 128, 128, 1}));
  EXPECT_EQ(image.voxels.to_doubles()[64 * 128 + 64], 29);
  const Label label = load_label(d.cases[0], image, d.labels, 2);
  double sum = 0;
  for (double v : label.classes.to_doubles()) sum += v;
  EXPECT_EQ(sum, 587);  // of the whole slice of 256 x 256, too
}

TEST(Layouts, ACaseWithoutLabelIsUnlabelled) {
  Scratch s;
  write_small(s);
  std::filesystem::create_directories(s / "imagesUn");
  write_nifti(s / "imagesUn/c.nii.gz", volume({2, 3, 4}), {});
  put(s / "imagesTr/._a.nii.gz", "left by another system");
  const Dataset d = open_dataset(s.path());
  ASSERT_EQ(d.cases.size(), 3u);
  EXPECT_TRUE(d.cases[0].has_label());
  EXPECT_FALSE(d.cases[1].has_label());
  EXPECT_EQ(d.cases[2].id, "c");
  EXPECT_THROW(load_label(d.cases[1], {}, d.labels, 2), engine::UsageError);
}

TEST(Layouts, ChannelFilesOfNnUnet) {
  Scratch s;
  for (const char* part : {"imagesTr", "labelsTr", "imagesTs"}) std::filesystem::create_directories(s / part);
  write_nifti(s / "imagesTr/p1_0000.nii.gz", volume({1, 2, 2}, 5), {});
  write_nifti(s / "imagesTr/p1_0001.nii.gz", volume({1, 2, 2}, 7), {});
  write_nifti(s / "labelsTr/p1.nii.gz", mask({1, 2, 2}), {});
  put(s / "dataset.json", two_classes);
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.channels, 2);
  EXPECT_EQ(load_image(d.cases[0], 2).voxels.to_doubles(), (std::vector<double>{5, 7, 5, 7, 5, 7, 5, 7}));
  std::filesystem::remove(s / "imagesTr/p1_0000.nii.gz");
  expect_error([&] { open_dataset(s.path()); }, {"missing", "p1 lacks _0000", "without gaps"});
}

/// "_0001" is part of the name where the labels have it too.
TEST(Layouts, NumbersThatAreNotChannels) {
  Scratch s;
  write_nifti((std::filesystem::create_directories(s / "imagesTr"), s / "imagesTr/la_0007.nii"), volume({1, 2, 2}), {});
  write_nifti((std::filesystem::create_directories(s / "labelsTr"), s / "labelsTr/la_0007.nii"), mask({1, 2, 2}), {});
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.cases[0].id, "la_0007");
  EXPECT_EQ(d.classes, (std::vector<std::string>{"background", "class 1"}));  // found in the labels
}

TEST(Layouts, PngFolderWithMap) {
  Scratch s;
  for (const char* part : {"imagesTr", "labelsTr"}) std::filesystem::create_directories(s / part);
  write_png(s / "imagesTr/t_0000.png", Tensor::full({4, 5, 3}, 9, engine::Dtype::u8));
  write_png(s / "labelsTr/t.png", Tensor::full({4, 5}, 255, engine::Dtype::u8));
  put(s / "dataset.json", R"({"labels": {"background": 0, "gland": 1}, "label_map": {"0": 0, "255": 1}})");
  Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.channels, 3);
  const Image image = load_image(d.cases[0], 3);
  EXPECT_EQ(load_label(d.cases[0], image, d.labels, 2).classes.to_doubles(), std::vector<double>(20, 1));
  d.labels.map.clear();
  expect_error([&] { load_label(d.cases[0], image, d.labels, 2); },
               {"t.png", "20 of 20", "255 (20 times)", "data.label_map=0:0,255:1"});
  put(s / "dataset.json", "{}");
  expect_error([&] { open_dataset(s.path()); }, {"t.png", "255", "label_map"});
}

TEST(Layouts, PatientsFromNames) {
  Scratch s;
  write_small(s);
  put(s / "dataset.json", R"({"labels": {"background": 0, "organ": 1}, "patient_until": "_frame"})");
  std::filesystem::rename(s / "imagesTr/b.nii.gz", s / "imagesTr/patient007_frame01.nii.gz");
  EXPECT_EQ(open_dataset(s.path()).cases[1].patient, "patient007");
}

TEST(LayoutsMalformed, EachMistakeIsNamedWithARemedy) {
  Scratch s;
  expect_error([&] { open_dataset(s / "nowhere"); }, {"nowhere", "not a folder"});
  expect_error([&] { open_dataset(s.path()); }, {"none of the known layouts", "imagesTr", "list.tsv"});
  std::filesystem::create_directories(s / "imagesTr");
  expect_error([&] { open_dataset(s.path()); }, {"imagesTr", "holds no image (.nii.gz"});
  write_small(s);
  write_nifti(s / "labelsTr/z.nii.gz", mask({2, 3, 4}), {});
  expect_error([&] { open_dataset(s.path()); }, {"labelsTr/z.nii.gz", "without an image", "add the image"});
  std::filesystem::remove(s / "labelsTr/z.nii.gz");
  put(s / "dataset.json",
      R"({"labels": {"background": 0, "organ": 1}, "training": [{"image": "./imagesTr/b.nii.gz", "label": "./labelsTr/b.nii.gz"}]})");
  expect_error([&] { open_dataset(s.path()); }, {"dataset.json", "labelsTr/b.nii.gz", "does not exist"});
  put(s / "dataset.json",
      R"({"labels": {"background": 0, "organ": 1}, "training": [{"image": "../../etc/passwd", "label": "x"}]})");
  expect_error([&] { open_dataset(s.path()); }, {"../../etc/passwd", "inside"});
  put(s / "dataset.json", two_classes);
  write_nifti(s / "imagesTr/a.nii", volume({2, 3, 4}), {});
  expect_error([&] { open_dataset(s.path()); }, {"the same name a: a.nii and a.nii.gz"});
  std::filesystem::remove(s / "imagesTr/a.nii");
  std::filesystem::create_directories(s / "imagesTs");
  write_nifti(s / "imagesTs/b.nii.gz", volume({2, 3, 4}), {});
  expect_error([&] { open_dataset(s.path()); }, {"case b appears twice"});
}

/// What was given instead is said, and where the data set is if it is near.
TEST(Layouts, AFolderThatIsNoneIsDescribed) {
  Scratch s;
  std::filesystem::create_directories(s / "empty");
  expect_error([&] { open_dataset(s / "empty"); }, {"known layouts: it is empty"});
  put(s / "study/IM001.dcm", ""), put(s / "study/notes.txt", "");
  std::filesystem::create_directories(s / "study/old");
  expect_error([&] { open_dataset(s / "study"); },
               {"it holds 2 files (IM001.dcm, notes.txt) and 1 folder (old)", "DICOM", "dcm2niix"});
  put(s / "set/imagesTr/a.nii.gz", ""), put(s / "set/labelsTr/a.nii.gz", "");
  put(s / "set/dataset.json", R"({"labels": {"background": 0, "a": 1}})");
  expect_error([&] { open_dataset(s / "set/imagesTr"); },
               {"the folder above it is a data set: give " + (s / "set").string()});
  expect_error([&] { open_dataset(s.path()); }, {"3 folders (empty, set, study)", (s / "set").string() + " is a data set"});
}

/// The superuser may read everything, so the test acts as nobody.
TEST(LayoutsMalformed, UnreadableFolder) {
  Scratch s;
  write_small(s);
  ::chmod(s.path().c_str(), 0755);
  ::chmod((s / "imagesTr").c_str(), 0);
  const bool was_root = ::geteuid() == 0;
  if (was_root) { ASSERT_EQ(::seteuid(65534), 0); }
  expect_error([&] { open_dataset(s.path()); }, {"imagesTr", "permissions"});
  if (was_root) { ASSERT_EQ(::seteuid(0), 0); }
  ::chmod((s / "imagesTr").c_str(), 0755);
}

TEST(LayoutsMalformed, DatasetJson) {
  const auto refused = [](const char* text, std::initializer_list<std::string> parts) {
    SCOPED_TRACE(text);
    expect_error([&] { parse_dataset_json(text, "dataset.json"); }, parts);
  };
  refused("{", {"dataset.json", "not valid JSON"});
  refused("[]", {"must be an object"});
  refused(R"({"name": 5})", {"'name' must be text"});
  refused(R"({"labels": {"a": 0, "b": 2}})", {"without gaps", "label_map"});
  refused(R"({"labels": {"a": 0, "b": 0}})", {"class 0 twice"});
  refused(R"({"labels": {"a": 0, "b": [1, 2]}})", {"regions"});
  refused(R"({"labels": {"background": 0}})", {"1 classes"});
  refused(R"({"labels": []})", {"'labels' must be an object"});
  refused(R"({"label_map": {"255": -1}})", {"\"255\": -1"});
  refused(R"({"label_map": {"x": 1}})", {"\"x\": 1"});
  refused(R"({"label_map": {"255": 1}, "label_threshold": 128})", {"without 'label_threshold'"});
  refused(R"({"label_threshold": -1.5})", {"'label_threshold'", "-1.5"});
  refused(R"({"training": [3]})", {"'training'"});
  refused(R"({"training": [{"label": "x"}]})", {"'training'"});
  refused(R"({"validation": ["a", {"image": "b"}]})", {"'validation'", "ids or of pairs"});
  refused(R"({"labels": {"a": 0, "ignore": 1, "b": 2}})", {"\"ignore\" the number 1", "last"});
  refused(R"({"channel_names": ["T1"]})", {"'channel_names'"});
  refused(R"({"a": 1, "a": 2})", {"'a' twice"});
  refused((std::string("{\"a\":") + std::string(40, '[') + std::string(40, ']') + "}").c_str(), {"nested"});
}

TEST(LayoutsMalformed, ListTsv) {
  const auto refused = [](const char* text, std::initializer_list<std::string> parts) {
    SCOPED_TRACE(text);
    expect_error([&] { parse_list_tsv(text, "list.tsv"); }, parts);
  };
  refused("", {"list.tsv", "no file"});
  refused("class\tfile\n", {"no column 'patient'"});
  refused("class\tfile\tpatient\nA\tb.png\n", {"line 2", "2 columns"});
  refused("class\tfile\tpatient\nA\t\tp\n", {"line 2", "lacks"});
  EXPECT_EQ(parse_list_tsv("patient\tfile\tclass\r\np\tf.png\tA\r\n", "l")[0].patient, "p");
  expect_error([] { inside("/data", "/etc/passwd", "list.tsv"); }, {"/etc/passwd", "inside"});
  expect_error([] { inside("/data", "a/../../b", "list.tsv"); }, {"inside"});
  EXPECT_EQ(inside("/data", "./a/b.png", "l"), "/data/a/b.png");
}

TEST(LoadMalformed, VoxelsThatAreNotNumbers) {
  Scratch s;
  write_small(s);
  Tensor bad = volume({2, 3, 4});
  bad.data<float>()[1 + 4 * (2 + 3 * 1)] = NAN;
  bad.data<float>()[23] = INFINITY;
  write_nifti(s / "imagesTr/a.nii.gz", bad, {});
  const Dataset d = open_dataset(s.path());
  expect_error([&] { load_image(d.cases[0], 1); }, {"a.nii.gz", "2 of 24", "x 1, y 2, z 1", "replace them"});
}

TEST(LoadMalformed, ImageAndLabelMustAgree) {
  Scratch s;
  write_small(s);
  const Dataset d = open_dataset(s.path());
  const Image image = load_image(d.cases[0], 1);
  write_nifti(s / "labelsTr/a.nii.gz", mask({2, 4, 3}), {});
  expect_error([&] { load_label(d.cases[0], image, d.labels, 2); },
               {"labelsTr/a.nii.gz", "[2, 4, 3]", "[2, 3, 4]", "resample"});
  Geometry moved;
  moved.placed = true;
  write_nifti(s / "imagesTr/a.nii.gz", volume({2, 3, 4}), moved);
  const Image placed = load_image(d.cases[0], 1);
  moved.affine[3] = 10, moved.placed = false;
  write_nifti(s / "labelsTr/a.nii.gz", mask({2, 3, 4}), moved);
  EXPECT_NO_THROW(load_label(d.cases[0], placed, d.labels, 2));  // it does not say where it lies
  moved.placed = true;
  write_nifti(s / "labelsTr/a.nii.gz", mask({2, 3, 4}), moved);
  expect_error([&] { load_label(d.cases[0], placed, d.labels, 2); }, {"10 voxels away", "affines"});
  EXPECT_NO_THROW(load_label(d.cases[0], image, d.labels, 2));
  moved.affine[3] = 0.1;
  write_nifti(s / "labelsTr/a.nii.gz", mask({2, 3, 4}), moved);
  EXPECT_NO_THROW(load_label(d.cases[0], placed, d.labels, 2));
  write_nifti(s / "labelsTr/a.nii.gz", mask({2, 3, 4}, 4), {});
  expect_error([&] { load_label(d.cases[0], image, d.labels, 2); }, {"24 of 24", "classes 0 to 1", "4 (24 times)"});
  write_nifti(s / "labelsTr/a.nii.gz", volume({2, 3, 4}, 0.5f), {});
  expect_error([&] { load_label(d.cases[0], image, d.labels, 2); }, {"0.5 (24 times)"});
  write_nifti(s / "labelsTr/a.nii.gz", volume({2, 3, 4}, NAN), {});
  expect_error([&] { load_label(d.cases[0], image, d.labels, 2); }, {"not a number"});
  expect_error([&] { load_image(d.cases[0], 3); }, {"1 channels, the data set has 3"});
}

TEST(Phantoms, WrittenAsADataset) {
  Scratch s;
  write_phantoms(s.path(), {.extents = {{6, 8, 10}}, .seed = 3}, 2, 3, 1);
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.cases.size(), 5u);
  EXPECT_EQ(d.test.size(), 1u);
  EXPECT_TRUE(d.test[0].has_label());
  EXPECT_EQ(d.n_classes(), 3);
  EXPECT_EQ(d.cases[1].has_label(), true);
  EXPECT_EQ(d.cases[2].has_label(), false);
  const Sample made = phantom({.extents = {{6, 8, 10}}, .seed = 3}, 0);
  const Image image = load_image(d.cases[0], 1);
  EXPECT_EQ(image.voxels.to_doubles(), made.image.to_doubles());
  EXPECT_EQ(load_label(d.cases[0], image, d.labels, 3).classes.to_doubles(), made.label.to_doubles());
}

TEST(Phantoms, EveryClassOccursAndIsBrighter) {
  for (std::int64_t index = 0; index < 20; ++index) {
    const Sample p = phantom({.noise = 0.1}, index);
    double sum[3] = {}, n[3] = {};
    for (std::int64_t i = 0; i < p.label.size(); ++i)
      sum[p.label.data<std::uint8_t>()[i]] += double(p.image.data<float>()[i]), ++n[p.label.data<std::uint8_t>()[i]];
    for (int c = 0; c < 3; ++c) ASSERT_GT(n[c], 100) << index;
    EXPECT_LT(sum[0] / n[0] + 0.3, sum[1] / n[1]);
    EXPECT_LT(sum[1] / n[1] + 0.2, sum[2] / n[2]);
  }
}

}  // namespace
}  // namespace sagcl::tests
