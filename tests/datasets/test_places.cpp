#include <gtest/gtest.h>

#include <cstring>

#include "datasets/check.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/nifti_fields.h"
#include "datasets/load.h"
#include "tests/datasets/scratch.h"

// Where voxels lie: headers that do not say, that contradict themselves, and files of one case that lie apart.
namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

Tensor volume(float first = 0) {
  Tensor t = Tensor::full({2, 3, 4}, 1);
  t.data<float>()[0] = first;
  return t;
}

/// A NIfTI-1 file whose header `change` has altered.
template <class F>
std::string nifti_with(F&& change, const Tensor& values = volume()) {
  Geometry place;
  place.placed = true, place.affine[3] = 7;
  std::string bytes = encode_nifti(values, place);
  bool swapped = false;
  NiftiFields fields(bytes.data(), *nifti_version(bytes, swapped), false);
  change(fields, fields.version());
  return bytes;
}
std::string unplaced(const Tensor& values = volume()) {
  return nifti_with([](NiftiFields& f, const NiftiVersion& v) { f.set(v.sform, 0, 0), f.set(v.qform, 0, 0); }, values);
}
bool has(const Remarks& remarks, const std::string& part) {
  for (const std::string& text : remarks)
    if (text.find(part) != std::string::npos) return true;
  return false;
}

TEST(Places, AHeaderWithoutCodesSaysNothing) {
  const Image image = decode_nifti(unplaced(), "a.nii");
  EXPECT_FALSE(image.geometry.placed);
  EXPECT_FALSE(image.geometry.measured);  // every size is 1, of no unit
  const auto sized = [](double size, double unit) {
    return nifti_with([&](NiftiFields& f, const NiftiVersion& v) {
      f.set(v.sform, 0, 0), f.set(v.qform, 0, 0), f.set(v.pixdim, 1, size), f.set(v.units, 0, unit);
    });
  };
  EXPECT_TRUE(decode_nifti(sized(0.5, 0), "a.nii").geometry.measured);
  EXPECT_TRUE(decode_nifti(sized(1, 2), "a.nii").geometry.measured);
  EXPECT_TRUE(image.remarks.empty());
  // A mask of it says no more, and one that says where it lies is accepted, as is the reverse.
  const Tensor mask = Tensor::full({2, 3, 4}, 1, engine::Dtype::u8);
  EXPECT_FALSE(decode_nifti(encode_nifti(mask, image.geometry), "m.nii").geometry.placed);
  const Image placed = decode_nifti(nifti_with([](NiftiFields&, const NiftiVersion&) {}), "b.nii");
  EXPECT_TRUE(placed.geometry.placed);
  const StoredLabel stored{mask.to(engine::Dtype::i32), placed.geometry},
      silent{mask.to(engine::Dtype::i32), image.geometry};
  EXPECT_TRUE(as_classes(stored, "m", image.voxels.shape(), image.geometry, "a", {}, 2).geometry.placed);
  EXPECT_TRUE(as_classes(silent, "m", image.voxels.shape(), placed.geometry, "b", {}, 2).geometry.placed);
}

/// Masks of arrays and pictures do not claim a place that nobody stated.
TEST(Places, MasksOfArraysSayNothing) {
  const Image read = decode_nifti(encode_nifti(Tensor::full({2, 3, 4}, 1, engine::Dtype::u8), {}), "m.nii");
  EXPECT_FALSE(read.geometry.placed);
  EXPECT_EQ(read.geometry.spacing, (std::array<double, 3>{1, 1, 1}));
}

TEST(Places, ADegenerateSform) {
  const auto flatten = [](NiftiFields& f, const NiftiVersion& v) {
    for (std::size_t i = 0; i < 12; ++i) f.set(v.srow, i, 0);
  };
  const Image image = decode_nifti(nifti_with(flatten), "a.nii");  // its qform is what it was
  EXPECT_TRUE(has(image.remarks, "(sform) lays all voxels onto a plane")) << image.remarks.size();
  EXPECT_EQ(image.geometry.affine[3], 7);
  EXPECT_TRUE(image.geometry.placed);
  expect_error(
      [&] {
        decode_nifti(nifti_with([&](NiftiFields& f, const NiftiVersion& v) { flatten(f, v), f.set(v.qform, 0, 0); }),
                     "a.nii");
      },
      {"a.nii", "no qform", "sform_code 0"});
  const Image line = decode_nifti(nifti_with([](NiftiFields& f, const NiftiVersion& v) {
                                    for (std::size_t i = 0; i < 3; ++i)
                                      f.set(v.srow, 4 * i + 1, i == 0 ? 1 : 0);  // two axes along x
                                  }),
                                  "b.nii");
  EXPECT_TRUE(has(line.remarks, "(sform) lays all voxels"));
}

TEST(Places, ThePlaneWhoseNormalHasNoLength) {
  Tensor plane = Tensor::full({1, 3, 4}, 1);
  const Image image = decode_nifti(nifti_with(
                                       [](NiftiFields& f, const NiftiVersion& v) {
                                         for (std::size_t i = 0; i < 3; ++i) f.set(v.srow, 4 * i + 2, 0);
                                         f.set(v.pixdim, 3, 0);
                                       },
                                       plane),
                                   "p.nii");
  EXPECT_TRUE(image.remarks.empty());
  EXPECT_EQ(image.geometry.affine[10], 1);
  EXPECT_EQ(image.geometry.spacing[0], 1);
}

TEST(Places, TwoFormsApart) {
  const auto move = [](NiftiFields& f, const NiftiVersion& v) { f.set(v.quatern, 3, 37); };  // the qform, by 30 mm
  const Image image = decode_nifti(nifti_with(move), "a.nii");
  EXPECT_EQ(image.geometry.affine[3], 7);
  EXPECT_TRUE(has(image.remarks, "two places that are 30 mm apart"));
  // A mask drawn in a program that took the other one fits; one that lies at neither does not, and the message tells why.
  Geometry by_qform, elsewhere;
  by_qform.placed = elsewhere.placed = true;
  by_qform.affine[3] = 37, elsewhere.affine[3] = 70;
  const Tensor mask = Tensor::full({2, 3, 4}, 1, engine::Dtype::i32);
  EXPECT_NO_THROW(as_classes({mask, by_qform}, "m", image.voxels.shape(), image.geometry, "a", {}, 2));
  expect_error(
      [&] {
        as_classes({mask, elsewhere}, "m", image.voxels.shape(), image.geometry, "a", {}, 2);
      },
      {"33 voxels away", "two places"});
}

TEST(Places, SpacingIsWhatTheAffineSays) {
  const Image image = decode_nifti(nifti_with([](NiftiFields& f, const NiftiVersion& v) {
                                     f.set(v.srow, 10, 2), f.set(v.qform, 0, 0);  // z is 2 mm by the sform, 1 by pixdim
                                   }),
                                   "a.nii");
  EXPECT_EQ(image.geometry.spacing, (std::array<double, 3>{2, 1, 1}));
  EXPECT_TRUE(has(image.remarks, "1 mm along z by the header's pixdim, 2 mm by its affine"));
}

TEST(Places, ChannelsOfACaseMustLieTogether) {
  Scratch s;
  put(s / "a.nii", nifti_with([](NiftiFields&, const NiftiVersion&) {}));
  put(s / "b.nii", nifti_with([](NiftiFields& f, const NiftiVersion& v) {
        f.set(v.srow, 0, -1), f.set(v.srow, 3, 10), f.set(v.qform, 0, 0);  // mirrored
      }));
  put(s / "c.nii", unplaced());
  EXPECT_NO_THROW(load_image({"x", "x", {s / "a.nii", s / "c.nii"}, {}}, 2));
  expect_error(
      [&] {
        load_image({"x", "x", {s / "a.nii", s / "b.nii"}, {}}, 2);
      },
      {"b.nii: fills the same place as", "a.nii", "grow to LAS and those to RAS", "convert DIR --to NEW --orientation"});
  EXPECT_EQ(load_image({"x", "x", {s / "a.nii", s / "b.nii"}, {}}, 2, {}, Reader::data_set, true).voxels.to_doubles()[7], 0);
  put(s / "b.nii", nifti_with([](NiftiFields& f, const NiftiVersion& v) { f.set(v.srow, 3, 10), f.set(v.qform, 0, 0); }));
  expect_error(
      [&] {
        load_image({"x", "x", {s / "a.nii", s / "b.nii"}, {}}, 2);
      },
      {"b.nii", "3 voxels away from", "a.nii", "another channel of case x", "resample"});
}

/// The checker tells what readers remark.
TEST(Places, RemarksAreWarnings) {
  Scratch s;
  for (const char* part : {"imagesTr", "labelsTr"}) std::filesystem::create_directories(s / part);
  put(s / "imagesTr/a.nii", nifti_with([](NiftiFields& f, const NiftiVersion& v) { f.set(v.quatern, 3, 37); }));
  Tensor classes = Tensor::zeros({2, 3, 4});
  classes.data<float>()[5] = 1.0001f;
  put(s / "labelsTr/a.nii", unplaced(classes));
  put(s / "dataset.json", R"({"labels": {"background": 0, "organ": 1}})");
  const DatasetReport report = check_folder(s.path(), {});
  EXPECT_TRUE(report.usable());
  Remarks texts;
  for (const Problem& p : report.problems) texts.push_back(p.text);
  EXPECT_TRUE(has(texts, "a.nii: the header gives two places"));
  EXPECT_TRUE(has(texts, "the label's value 1.00"));
}

}  // namespace
}  // namespace sagcl::tests
