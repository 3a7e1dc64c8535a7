#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>

#include "datasets/formats/gzip.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/nifti_header.h"
#include "engine/files/read_file.h"
#include "tests/datasets/scratch.h"

// Golden files and expected values were made by nibabel (make_golden.py).
namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::DataError;
using engine::Shape;
using std::filesystem::path;

const path golden = path(SAGCL_SOURCE_DIR) / "tests/datasets/golden";

TEST(Nifti, EveryTypeAndByteOrderAsNibabelReadsIt) {
  const nlohmann::json expected = nlohmann::json::parse(engine::read_file(golden / "expected.json"));
  ASSERT_GE(expected.size(), 25u);
  for (const auto& [file, e] : expected.items()) {
    SCOPED_TRACE(file);
    const Image image = read_nifti(golden / file);
    EXPECT_EQ(image.voxels.shape(), Shape(e["shape"].get<std::vector<std::int64_t>>()));
    EXPECT_EQ(image.voxels.to_doubles(), e["values"].get<std::vector<double>>());
    if (e["affine"].is_null()) continue;
    for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(image.geometry.affine[i], e["affine"][i].get<double>(), 2e-6) << i;
  }
}

TEST(Nifti, WithoutOrientationTheVoxelSizesAreTheAffine) {
  const Geometry g = read_nifti(golden / "no_orientation.nii").geometry;
  EXPECT_EQ(g.spacing, (std::array<double, 3>{4, 0.75, 0.5}));  // D, H, W
  EXPECT_EQ(g.affine, (std::array<double, 16>{0.5, 0, 0, 0, 0, 0.75, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1}));
}

/// x runs fastest in the file and is the last axis of the tensor.
TEST(Nifti, AxisOrder) {
  Tensor t = Tensor::zeros({2, 3, 4}, engine::Dtype::u8);  // z, y, x
  for (int i = 0; i < 24; ++i) t.data<std::uint8_t>()[i] = std::uint8_t(i);
  const std::string bytes = encode_nifti(t, {});
  std::int16_t dim[4];
  std::memcpy(dim, bytes.data() + 40, 8);
  EXPECT_EQ(dim[0], 3);
  EXPECT_EQ(dim[1], 4);
  EXPECT_EQ(dim[2], 3);
  EXPECT_EQ(dim[3], 2);
  EXPECT_EQ(bytes[352 + 1 + 4 * (2 + 3 * 1)], 1 + 4 * (2 + 3 * 1));
}

/// A mask written in the place of a source has the source's orientation, sizes, units and notes, bit for bit.
TEST(Nifti, GeometryReturnsBitForBit) {
  Scratch scratch;
  for (const char* file :
       {"int16_big.nii", "both_forms.nii", "qform_mirrored.nii", "gzipped.nii.gz", "plane.nii", "channels.nii"}) {
    SCOPED_TRACE(file);
    const Image source = read_nifti(golden / file);
    const Shape s = source.voxels.shape();
    write_nifti(scratch / "mask.nii", Tensor::full({s[0], s[1], s[2]}, 1, engine::Dtype::u8), source.geometry);
    const Image mask = read_nifti(scratch / "mask.nii");
    EXPECT_EQ(mask.geometry.affine, source.geometry.affine);
    const std::string &a = source.geometry.nifti_header, &b = mask.geometry.nifti_header;
    for (std::size_t i = 0; i < 348; ++i) {
      const bool may_change =
          (i >= 40 && i < 72) || i == 72 || i == 73 || (i >= 108 && i < 120) || (i >= 124 && i < 132) || i >= 328;
      EXPECT_TRUE(may_change || a[i] == b[i]) << "byte " << i;
    }
    EXPECT_EQ(a.substr(76, 32), b.substr(76, 32));    // pixdim
    EXPECT_EQ(a.substr(252, 76), b.substr(252, 76));  // qform, sform
    EXPECT_EQ(a[123], b[123]);                        // units
  }
}

TEST(Nifti, ImageRoundTripKeepsValuesAndChannels) {
  Scratch scratch;
  for (const char* file : {"float32_big.nii", "channels.nii", "plane.nii"}) {
    const Image source = read_nifti(golden / file);
    for (const char* name : {"copy.nii", "copy.nii.gz"}) {
      write_nifti(scratch / name, source.voxels, source.geometry);
      const Image copy = read_nifti(scratch / name);
      EXPECT_EQ(copy.voxels.to_doubles(), source.voxels.to_doubles()) << file;
      EXPECT_EQ(copy.voxels.shape(), source.voxels.shape()) << file;
    }
  }
}

TEST(Nifti, WritingIsDeterministic) {
  const Image source = read_nifti(golden / "gzipped.nii.gz");
  EXPECT_EQ(gzip(encode_nifti(source.voxels, source.geometry)), gzip(encode_nifti(source.voxels, source.geometry)));
  const std::string bytes = gzip("abc");
  EXPECT_EQ(bytes.substr(4, 4), std::string(4, '\0'));  // no time of writing
}

TEST(Nifti, AnotherShapeThanTheSourceIsRefused) {
  const Image source = read_nifti(golden / "scaled.nii");
  expect_error<engine::ShapeError>(
      [&] {
        encode_nifti(Tensor::zeros({4, 3, 6}), source.geometry);
      },
      {"[4, 3, 6, 1]", "axis x has 5"});
}

// ---- malformed files: the header of a good one, then one thing is wrong

struct Broken {
  const char* what;
  std::size_t at;
  std::string bytes;
  const char* message;
};

template <class T>
std::string raw(T v) {
  return std::string(reinterpret_cast<const char*>(&v), sizeof v);
}

const std::vector<Broken> broken = {
    {"size of header", 0, raw<std::int32_t>(347), "is not a NIfTI file"},
    {"NIfTI-2", 0, raw<std::int32_t>(540), "NIfTI"},
    {"no dimensions", 40, raw<std::int16_t>(0), "0 dimensions"},
    {"too many dimensions", 40, raw<std::int16_t>(8), "8 dimensions"},
    {"negative extent", 42, raw<std::int16_t>(-5), "dimension 1 of the header is -5"},
    {"zero extent", 46, raw<std::int16_t>(0), "dimension 3 of the header is 0"},
    {"larger than the file", 42, raw<std::int16_t>(32767), "needs"},
    {"fifth axis", 40,
     raw<std::int16_t>(5) + raw<std::int16_t>(5) + raw<std::int16_t>(3) + raw<std::int16_t>(4) + raw<std::int16_t>(1) +
         raw<std::int16_t>(3),
     "dimension 5 is 3"},
    {"overflowing extents", 40,
     raw<std::int16_t>(4) + raw<std::int16_t>(32767) + raw<std::int16_t>(32767) + raw<std::int16_t>(32767) +
         raw<std::int16_t>(32767),
     "declares"},
    {"complex voxels", 70, raw<std::int16_t>(32), "voxel type 32"},
    {"wrong bits", 72, raw<std::int16_t>(8), "16 bits, the header says 8"},
    {"NaN offset", 108, raw<float>(NAN), "vox_offset is nan"},
    {"offset in the header", 108, raw<float>(0), "byte 0"},
    {"offset behind the end", 108, raw<float>(5e8), "needs"},
    {"huge offset", 108, raw<float>(1e30f), "1.00000001"},
    {"fractional offset", 108, raw<float>(352.5f), "352.5"},
    {"infinite slope", 112, raw<float>(INFINITY), "scl_slope is inf"},
    {"NaN intercept", 116, raw<float>(NAN), "scl_inter is nan"},
    {"NaN voxel size", 80, raw<float>(NAN), "pixdim) is nan"},
    {"voxel size 0", 84, raw<float>(0), "voxel size 2 of the header is 0"},
    {"NaN in the sform", 284, raw<float>(NAN), "srow) is nan"},
    {"pair of files", 344, std::string("ni1\0", 4), ".hdr/.img"},
    {"no mark", 344, std::string("xyz\0", 4), "n+1"},
};

TEST(NiftiMalformed, EachMistakeIsNamed) {
  const std::string good = engine::read_file(golden / "scaled.nii");
  for (const Broken& b : broken) {
    SCOPED_TRACE(b.what);
    std::string bytes = good;
    bytes.replace(b.at, b.bytes.size(), b.bytes);
    expect_error([&] { decode_nifti(bytes, "dir/broken.nii"); }, {"dir/broken.nii", b.message});
    expect_error([&] { decode_nifti(gzip(bytes), "dir/broken.nii.gz"); }, {"dir/broken.nii.gz"});
  }
}

TEST(NiftiMalformed, EveryTruncationIsRefused) {
  for (const char* file : {"scaled.nii", "gzipped.nii.gz"}) {
    const std::string good = engine::read_file(golden / file);
    for (std::size_t n = 0; n < good.size(); ++n)
      EXPECT_THROW(decode_nifti(good.substr(0, n), "cut.nii"), DataError) << file << " cut to " << n;
  }
}

TEST(NiftiMalformed, DamagedGzipIsNoticed) {
  std::string bytes = engine::read_file(golden / "gzipped.nii.gz");
  bytes[bytes.size() - 6] ^= 1;  // the checksum
  expect_error([&] { decode_nifti(bytes, "damaged.nii.gz"); }, {"damaged.nii.gz", "damaged", "download it again"});
}

/// A few hundred bytes that promise terabytes are refused before any memory is asked for.
TEST(NiftiMalformed, LyingSizeInATinyGzip) {
  std::string header = engine::read_file(golden / "scaled.nii").substr(0, 352);
  const std::string dims =
      raw<std::int16_t>(3) + raw<std::int16_t>(8000) + raw<std::int16_t>(8000) + raw<std::int16_t>(1000);
  header.replace(40, dims.size(), dims);
  expect_error([&] { decode_nifti(gzip(header), "bomb.nii.gz"); }, {"bomb.nii.gz", "[1000, 8000, 8000, 1]", "can hold"});
}

TEST(NiftiMalformed, MoreDataThanDeclared) {
  const std::string good = engine::read_file(golden / "scaled.nii");
  EXPECT_NO_THROW(decode_nifti(gzip(good + std::string(100, 'x')), "padded.nii.gz"));
  expect_error([&] { decode_nifti(gzip(good + std::string(1 << 20, 'x')), "long.nii.gz"); },
               {"more than its header declares"});
}

TEST(NiftiMalformed, MissingFileAndFolder) {
  expect_error([] { read_nifti("/nowhere/image.nii.gz"); }, {"/nowhere/image.nii.gz", "no such file"});
  expect_error([] { read_nifti("/"); }, {"not a regular file"});
}

TEST(Nifti, SlopeZeroOrNanMeansUnscaled) {
  const std::string good = engine::read_file(golden / "scaled.nii");
  std::string plain = good;
  plain.replace(112, 8, raw<float>(1) + raw<float>(0));
  for (float slope : {0.f, NAN}) {
    std::string bytes = good;
    bytes.replace(112, 8, raw<float>(slope) + raw<float>(NAN));
    EXPECT_EQ(decode_nifti(bytes, "a").voxels.to_doubles(), decode_nifti(plain, "b").voxels.to_doubles());
  }
}

/// A full disk: the file limit of the process stands in for it. The mask that was there stays.
TEST(Nifti, AFullDiskLeavesTheOldFile) {
  Scratch scratch;
  const Tensor mask = Tensor::full({20, 100, 100}, 1, engine::Dtype::u8);
  write_nifti(scratch / "mask.nii", mask, {});
  const std::string before = engine::read_file(scratch / "mask.nii");
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{4096, old.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    write_nifti(scratch / "mask.nii", Tensor::zeros({20, 100, 100}, engine::Dtype::u8), {});
  } catch (const DataError& e) { message = e.what(); }
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_EQ(engine::read_file(scratch / "mask.nii"), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1) << "a temporary file was left behind";
}

}  // namespace
}  // namespace sagcl::tests
