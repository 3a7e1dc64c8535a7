#include <gtest/gtest.h>

#include "datasets/case_remarks.h"
#include "datasets/check.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/png.h"
#include "datasets/phantom.h"
#include "tests/datasets/scratch.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

TEST(Check, TheRepositorysDataIsClean) {
  const std::filesystem::path data = std::filesystem::path(SAGCL_SOURCE_DIR) / "data";
  for (const char* name : {"hippocampus", "glands", "sunnybrook"}) {
    const DatasetReport r = check_dataset(open_dataset(data / name));
    for (const Problem& p : r.problems) ADD_FAILURE() << p.case_id << ": " << p.text;
    EXPECT_TRUE(r.usable());
  }
}

TEST(Check, EveryProblemIsCollected) {
  Scratch s;
  write_phantoms(s.path(), {.extents = {{4, 5, 6}}}, 5, 1, 1);
  const auto image = [&](int i) { return s / fmt::format("imagesTr/phantom_{:03}.nii.gz", i); };
  const auto label = [&](int i) { return s / fmt::format("labelsTr/phantom_{:03}.nii.gz", i); };
  write_nifti(label(1), Tensor::full({4, 5, 6}, 9, engine::Dtype::u8), {});
  std::filesystem::copy_file(image(3), image(2), std::filesystem::copy_options::overwrite_existing);
  write_nifti(image(4), Tensor::zeros({4, 5, 6}), {});
  write_nifti(label(4), Tensor::zeros({4, 5, 6}, engine::Dtype::u8), {});
  put(s / "dataset.json", R"({"labels": {"background": 0, "x": 1, "y": 2, "z": 3}})");
  const Dataset d = open_dataset(s.path());
  const DatasetReport r = check_dataset(d);
  EXPECT_EQ(r.cases, 6);
  EXPECT_EQ(r.labelled, 5);
  EXPECT_EQ(r.test, 1);
  EXPECT_FALSE(r.usable());
  const auto found = [&](const std::string& id, const std::string& part, bool fatal) {
    for (const Problem& p : r.problems)
      if (p.case_id == id && p.fatal == fatal && p.text.find(part) != std::string::npos) return true;
    return false;
  };
  EXPECT_TRUE(found("phantom_001", "9 (120 times)", true));
  EXPECT_TRUE(found("phantom_003", "same image as phantom_002", false));
  EXPECT_TRUE(found("phantom_004", "every voxel is 0", false));
  EXPECT_TRUE(found("phantom_004", "all background", false));
  EXPECT_TRUE(found("", "class 3 (z) occurs in no label", false));
  EXPECT_EQ(r.problems.size(), 5u);
  EXPECT_EQ(r.smallest, (std::array<std::int64_t, 3>{4, 5, 6}));
}

/// A class of one patient can be in one part of a split alone.
TEST(Check, AClassOfOnePatient) {
  Scratch s;
  write_phantoms(s.path(), {.extents = {{4, 5, 6}}}, 4, 0, 0);
  Tensor rare = phantom({.extents = {{4, 5, 6}}}, 2).label.clone();
  rare.data<std::uint8_t>()[7] = 3;
  write_nifti(s / "labelsTr/phantom_002.nii.gz", rare, {});
  put(s / "dataset.json", R"({"labels": {"background": 0, "x": 1, "y": 2, "z": 3}})");
  const DatasetReport r = check_dataset(open_dataset(s.path()));
  ASSERT_EQ(r.problems.size(), 1u);
  EXPECT_FALSE(r.problems[0].fatal);
  EXPECT_NE(r.problems[0].text.find("class 3 (z) occurs in one patient alone (phantom_002), so validation or training"),
            std::string::npos)
      << r.problems[0].text;
  for (const char* part : {"images", "labels"}) {
    std::filesystem::create_directories(s / (std::string(part) + "Ts"));
    std::filesystem::rename(s / (std::string(part) + "Tr/phantom_002.nii.gz"),
                            s / (std::string(part) + "Ts/phantom_002.nii.gz"));
  }
  const DatasetReport tested = check_dataset(open_dataset(s.path()));
  ASSERT_EQ(tested.problems.size(), 1u);
  EXPECT_NE(tested.problems[0].text.find("class 3 (z) occurs in labels of the test alone"), std::string::npos)
      << tested.problems[0].text;
}

/// Pictures have no millimetres.
TEST(Check, NothingIsSaidOfVoxelsThatNobodyMeasured) {
  Scratch s;
  for (const char* part : {"imagesTr", "labelsTr"}) std::filesystem::create_directories(s / part);
  write_png(s / "imagesTr/a.png", Tensor::full({4, 5}, 9, engine::Dtype::u8));
  write_png(s / "labelsTr/a.png", Tensor::full({4, 5}, 1, engine::Dtype::u8));
  const DatasetReport pictures = check_folder(s.path(), {});
  EXPECT_FALSE(pictures.measured);
  EXPECT_EQ(pictures.coarsest, (std::array<double, 3>{0, 0, 0}));
  const DatasetReport volumes = check_dataset(open_dataset(std::filesystem::path(SAGCL_SOURCE_DIR) / "data/hippocampus"));
  EXPECT_TRUE(volumes.measured);
  EXPECT_EQ(volumes.finest, (std::array<double, 3>{1, 1, 1}));
}

/// Whoever reads cases can ask.
TEST(CaseRemarks, OfImagesAndLabels) {
  const Case one{"a", "a", {"a.nii"}, "m.nii"};
  Image image{Tensor::full({1, 2, 2, 1}, 7), {}};
  image.remarks = {"a.nii: two places"};
  const Label empty{Tensor::zeros({1, 2, 2}, engine::Dtype::u8), {}, {"m.nii: rounded"}};
  const Remarks r = remarks_of(one, image, &empty);
  EXPECT_EQ(r, (Remarks{"a.nii: two places", "a.nii: every voxel is 7; leave the case out", "m.nii: rounded",
                        "m.nii: the label is all background; check that it belongs to this case"}));
  EXPECT_EQ(remarks_of(one, image).size(), 2u);
  const std::string digest = digest_of(image);
  TwinImages twins;
  EXPECT_EQ(twins.add("a", digest), "");
  image.voxels.data<float>()[3] = 8;
  EXPECT_EQ(twins.add("b", digest_of(image)), "");
  EXPECT_EQ(twins.add("c", digest), "has the same image as a; remove one of them");
}

TEST(Check, VoxelSizesThatDiffer) {
  Scratch s;
  write_phantoms(s.path(), {.extents = {{4, 5, 6}}}, 2, 0, 0);
  Geometry wide;
  wide.spacing = {5, 1, 1};
  wide.affine[10] = 5;
  const Sample p = phantom({.extents = {{4, 5, 6}}}, 1);
  write_nifti(s / "imagesTr/phantom_001.nii.gz", p.image, wide);
  write_nifti(s / "labelsTr/phantom_001.nii.gz", p.label, wide);
  const DatasetReport r = check_dataset(open_dataset(s.path()));
  ASSERT_EQ(r.problems.size(), 1u);
  EXPECT_NE(r.problems[0].text.find("between 1 and 5 mm along z; a plan brings them to one size"), std::string::npos)
      << r.problems[0].text;
  EXPECT_TRUE(r.usable());
}

}  // namespace
}  // namespace sagcl::tests
