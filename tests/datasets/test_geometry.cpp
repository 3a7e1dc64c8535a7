#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "datasets/affine.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/nrrd.h"
#include "engine/files/read_file.h"
#include "tests/datasets/scratch.h"

// Orientations as nibabel and pynrrd read them (make_reader_golden.py): the 48 axis orders and mirrors, oblique, sheared.
namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) bytes += char(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

const nlohmann::json& orientations() {
  static const nlohmann::json all = nlohmann::json::parse(
      engine::read_file(std::filesystem::path(SAGCL_SOURCE_DIR) / "tests/datasets/golden/geometry.json"));
  return all;
}

Image read(const nlohmann::json& e) {
  const std::string bytes = from_hex(e["data"]);
  if (e["format"] == "nifti") return decode_nifti(bytes, "golden");
  return decode_nrrd(bytes, "golden",
                     [](const std::string&) -> std::string { throw engine::DataError("no detached data here"); });
}

void expect_affine(const Affine& m, const nlohmann::json& expected, double tolerance) {
  for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(m[i], expected[i].get<double>(), tolerance) << i;
}

TEST(Geometry, EveryOrientationAsNibabelAndPynrrdReadIt) {
  ASSERT_GE(orientations().size(), 48u * 4);
  for (const auto& e : orientations()) {
    SCOPED_TRACE(e["name"].get<std::string>() + " " + e["form"].get<std::string>());
    const Image image = read(e);
    EXPECT_TRUE(image.geometry.placed);
    ASSERT_EQ(image.voxels.shape(), engine::Shape({4, 3, 2, 1}));
    for (int i = 0; i < 24; ++i) EXPECT_EQ(image.voxels.data<float>()[i], float(i));  // x fastest, wherever it points
    expect_affine(image.geometry.affine, e["affine"], 2e-6);
    const double size[3] = {3, 1.25, 0.75};  // D, H, W
    for (std::size_t a = 0; a < 3; ++a)
      EXPECT_TRUE(e["name"] == "sheared" || std::abs(image.geometry.spacing[a] - size[a]) < 1e-6)
          << image.geometry.spacing[a];
  }
}

/// A mask written for any of them lies on its image again, also through NRRD, which has no header to copy.
TEST(Geometry, WrittenMasksLieOnTheirImages) {
  for (const auto& e : orientations()) {
    SCOPED_TRACE(e["name"].get<std::string>() + " " + e["form"].get<std::string>());
    const Image image = read(e);
    const Image mask = decode_nifti(encode_nifti(Tensor::full({4, 3, 2}, 1, engine::Dtype::u8), image.geometry), "mask");
    expect_affine(mask.geometry.affine, e["affine"], 4e-6);
    EXPECT_TRUE(e["format"] == "nrrd" || mask.geometry.affine == image.geometry.affine);  // NIfTI: bit for bit
  }
}

/// The qform that is written for NRRD sources says the same as the sform, in every orientation.
TEST(Geometry, QformAndSformAgree) {
  int tried = 0;
  for (const auto& e : orientations()) {
    if (e["format"] != "nrrd" || e["name"] == "sheared") continue;
    SCOPED_TRACE(e["name"].get<std::string>());
    std::string bytes = encode_nifti(Tensor::full({4, 3, 2}, 1, engine::Dtype::u8), read(e).geometry);
    EXPECT_EQ(bytes[252], 1);  // qform_code
    bytes[254] = 0;            // without the sform the qform counts
    expect_affine(decode_nifti(bytes, "mask").geometry.affine, e["affine"], 1e-5);
    ++tried;
  }
  EXPECT_GE(tried, 100);
}

TEST(Geometry, ShearIsMeasuredAndTakenOut) {
  for (const auto& e : orientations()) {
    const Affine m = read(e).geometry.affine;
    if (e["name"] != "sheared") {
      EXPECT_LT(shear_of(m), 1e-6);
      continue;
    }
    // y was tilted by 0.4 z: its direction is (1.25 y + 1.2 z) / |...|, the cosine with z 1.2 / |...|.
    EXPECT_NEAR(shear_of(m), 1.2 / std::hypot(1.25, 1.2), 1e-6);
    const Affine straight = without_shear(m, {4, 3, 2});
    EXPECT_LT(shear_of(straight), 1e-12);
    for (std::size_t a = 0; a < 3; ++a) EXPECT_NEAR(spacing_of(straight)[a], spacing_of(m)[a], 1e-12);
    EXPECT_GT(determinant_of(straight) * determinant_of(m), 0);
    EXPECT_LT(corner_distance(m, straight, {4, 3, 2}), 3);
    EXPECT_GT(corner_distance(m, straight, {4, 3, 2}), 0.1);
    const Affine again = without_shear(straight, {4, 3, 2});
    for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(again[i], straight[i], 1e-12);
  }
}

}  // namespace
}  // namespace sagcl::tests
