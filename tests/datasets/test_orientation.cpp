// How voxels lie in the patient, and volumes turned to lie otherwise: no voxel leaves its place.
#include <gtest/gtest.h>

#include <cmath>

#include "datasets/affine.h"
#include "datasets/convert.h"
#include "datasets/formats/nifti.h"
#include "datasets/load.h"
#include "datasets/orientation.h"
#include "datasets/split.h"
#include "tests/datasets/scratch.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

/// Columns x, y, z along the named directions, so many millimetres long.
Affine affine_of(const std::string& code, std::array<double, 3> size = {1, 2, 3}) {
  Affine m = {};
  for (std::size_t axis = 0; axis < 3; ++axis)
    for (std::size_t world = 0; world < 3; ++world) {
      if (code[axis] == "RAS"[world]) m[4 * world + axis] = size[axis];
      if (code[axis] == "LPI"[world]) m[4 * world + axis] = -size[axis];
    }
  m[3] = -30, m[7] = 4, m[11] = 100, m[15] = 1;
  return m;
}

Geometry geometry_of(const std::string& code) {
  Geometry g;
  g.affine = affine_of(code), g.spacing = spacing_of(g.affine), g.placed = true;
  return g;
}

const std::vector<std::string> codes = {"RAS", "LPS", "LPI", "PSR", "ASR", "IRP", "SLA"};

TEST(Orientation, IsThatOfTheNearestDirections) {
  for (const std::string& code : codes) {
    EXPECT_EQ(orientation_of(affine_of(code)), code);
    Affine oblique = affine_of(code);
    for (std::size_t i = 0; i < 11; ++i)
      if (i % 4 != 3) oblique[i] += 0.3 * std::sin(double(i));
    EXPECT_EQ(orientation_of(oblique), code);
  }
  EXPECT_NO_THROW(check_orientation("PIR", "--orientation"));
  for (const char* wrong : {"", "RA", "RASS", "RRS", "RLS", "ras", "XYZ"})
    expect_error<engine::UsageError>([&] { check_orientation(wrong, "--orientation"); }, {"--orientation", "R or L"});
}

/// Every voxel keeps its value and its millimetres.
TEST(Orientation, TurnedVolumesLieWhereTheyLay) {
  const Tensor image = random_tensor({3, 4, 5, 2}, 7, engine::Dtype::f32);
  const auto place = [](const Affine& m, std::int64_t x, std::int64_t y, std::int64_t z) {
    std::array<std::int64_t, 3> p;
    for (std::size_t r = 0; r < 3; ++r)
      p[r] =
          std::llround(1000 * (m[4 * r] * double(x) + m[4 * r + 1] * double(y) + m[4 * r + 2] * double(z) + m[4 * r + 3]));
    return p;
  };
  const auto voxels = [&](const Tensor& t, const Affine& m) {
    std::map<std::array<std::int64_t, 3>, std::pair<float, float>> all;
    const auto& s = t.shape();
    const float* v = t.data<float>();
    for (std::int64_t z = 0; z < s[0]; ++z)
      for (std::int64_t y = 0; y < s[1]; ++y)
        for (std::int64_t x = 0; x < s[2]; ++x, v += 2) all[place(m, x, y, z)] = {v[0], v[1]};
    return all;
  };
  for (const std::string& from : codes)
    for (const std::string& to : codes) {
      Geometry g = geometry_of(from);
      const auto before = voxels(image, g.affine);
      const Tensor turned = reoriented(image, g, to);
      EXPECT_EQ(orientation_of(g.affine), to);
      EXPECT_TRUE(voxels(turned, g.affine) == before) << from << " to " << to;
      EXPECT_EQ(g.spacing, spacing_of(g.affine));
      EXPECT_TRUE(identical(reoriented(turned, g, from), image));
    }
}

TEST(Orientation, OfCasesIsToldTheMostFrequentFirst) {
  Orientations all;
  all.add("c1", geometry_of("LPI"));
  EXPECT_FALSE(all.differ());
  for (const char* id : {"a", "b", "c", "d"}) all.add(id, geometry_of("RAS"));
  all.add("c2", geometry_of("LPI"));
  all.add("nowhere", Geometry());
  EXPECT_TRUE(all.differ());
  EXPECT_EQ(all.text(), "RAS in 4 cases, LPI in c1 and c2");
}

/// A label that was left as it was when its image was turned: the same place, other axes.
TEST(Orientation, AnImageTurnedWithoutItsLabel) {
  for (const char* code : {"LPS", "PIR"}) {  // of the same extents, and of others
    Scratch s;
    std::filesystem::create_directories(s / "old/imagesTr"), std::filesystem::create_directories(s / "old/labelsTr");
    const Tensor classes = Tensor::of<std::uint8_t>({2, 2, 3}, {0, 1, 2, 0, 0, 1, 2, 2, 1, 0, 0, 1});
    Geometry g = geometry_of("RAS");
    write_nifti(s / "old/labelsTr/a.nii.gz", classes, g);
    const Tensor there = reoriented(classes.to(engine::Dtype::f32), g, code);
    write_nifti(s / "old/imagesTr/a.nii.gz", there, g);
    put(s / "old/dataset.json", R"({"labels": {"background": 0, "a": 1, "b": 2}})");
    const Dataset old = open_dataset(s / "old");
    expect_error([&] { load_label(old.cases[0], load_image(old.cases[0], 1), old.labels, 3); },
                 {"a.nii.gz: fills the same place as", "grow to RAS and those to " + std::string(code),
                  "convert DIR --to NEW --orientation RAS"});
    std::string changes;
    convert_dataset(old, s / "new", {.orientation = "RAS"}, [&](const Case&, const std::string& text) { changes = text; });
    EXPECT_NE(changes.find("labelsTr/a.nii.gz: turned from RAS to " + std::string(code)), std::string::npos) << changes;
    const Dataset data = open_dataset(s / "new");
    const Image image = load_image(data.cases[0], 1);
    EXPECT_EQ(image.voxels.to_doubles(), classes.to_doubles());
    EXPECT_EQ(load_label(data.cases[0], image, data.labels, 3).classes.to_doubles(), classes.to_doubles());
  }
}

TEST(Orientation, ConvertTurnsImagesWithTheirLabels) {
  Scratch s;
  const Tensor classes = Tensor::of<std::uint8_t>({2, 2, 3}, {0, 1, 2, 0, 0, 1, 2, 2, 1, 0, 0, 1});
  for (const char* code : {"RAS", "PSR"}) {
    const Geometry g = geometry_of(code);
    std::filesystem::create_directories(s / "old/imagesTr"), std::filesystem::create_directories(s / "old/labelsTr");
    write_nifti(s / "old/imagesTr" / (std::string(code) + ".nii.gz"), classes.to(engine::Dtype::f32), g);
    write_nifti(s / "old/labelsTr" / (std::string(code) + ".nii.gz"), classes, g);
  }
  put(s / "old/dataset.json", R"({"labels": {"background": 0, "a": 1, "b": 2}})");
  std::map<std::string, std::string> changes;
  convert_dataset(open_dataset(s / "old"), s / "new", {.orientation = "RAS"},
                  [&](const Case& one, const std::string& text) { changes[one.id] = text; });
  EXPECT_EQ(changes["RAS"], "");
  EXPECT_EQ(changes["PSR"], "turned from PSR to RAS");
  const Dataset data = open_dataset(s / "new");
  for (const Case& one : data.cases) {
    const Image image = load_image(one, 1);
    EXPECT_EQ(orientation_of(image.geometry.affine), "RAS");
    const Tensor label = load_label(one, image, data.labels, 3).classes;
    EXPECT_EQ(label.to_doubles(), image.voxels.to_doubles());
  }
}

}  // namespace
}  // namespace sagcl::tests
