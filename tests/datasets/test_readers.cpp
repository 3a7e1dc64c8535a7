#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "datasets/formats/array_file.h"
#include "datasets/formats/formats.h"
#include "datasets/formats/gzip.h"
#include "datasets/formats/nrrd.h"
#include "engine/files/read_file.h"
#include "tests/datasets/scratch.h"
#include "tests/support/golden.h"

// NRRD, NumPy and HDF5 files as pynrrd, NumPy and h5py wrote and read them (make_reader_golden.py).
namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::Shape;
using std::filesystem::path;

const path folder = path(SAGCL_SOURCE_DIR) / "tests/datasets/golden/readers";

TEST(Readers, ValuesAsTheirOwnLibrariesReadThem) {
  const nlohmann::json expected = nlohmann::json::parse(engine::read_file(folder / "expected.json"));
  ASSERT_GE(expected.size(), 42u);
  for (const auto& [key, e] : expected.items()) {
    SCOPED_TRACE(key);
    const std::size_t colon = key.find(':');
    const path file = folder / key.substr(0, colon);
    if (colon != std::string::npos && key[colon + 1] == '=') {  // a data set of any name
      const Tensor array = read_hdf5(file, key.substr(colon + 2));
      EXPECT_EQ(array.shape(), Shape(e["shape"].get<std::vector<std::int64_t>>()));
      EXPECT_EQ(array.to_doubles(), e["values"].get<std::vector<double>>());
      continue;
    }
    if (colon != std::string::npos && key.substr(colon + 1) == "label") {
      EXPECT_EQ(read_label(file).values.to_doubles(), e["values"].get<std::vector<double>>());
      continue;
    }
    const Image image = read_image(file);
    EXPECT_EQ(image.voxels.shape(), Shape(e["shape"].get<std::vector<std::int64_t>>()));
    EXPECT_EQ(image.voxels.to_doubles(), e["values"].get<std::vector<double>>());
    EXPECT_EQ(image.geometry.measured, file.extension() == ".nrrd" || file.extension() == ".nhdr");
  }
}

TEST(Readers, ArraysIndexedByXFirst) {
  const Image zyx = read_image(folder / "volume.h5"), xyz = read_image(folder / "volume.h5", 0, Axes::xyz);
  EXPECT_EQ(zyx.voxels.shape(), Shape({4, 3, 2, 1}));
  EXPECT_EQ(xyz.voxels.shape(), Shape({2, 3, 4, 1}));
  for (int a = 0; a < 4; ++a)
    for (int b = 0; b < 3; ++b)
      for (int c = 0; c < 2; ++c)
        EXPECT_EQ(zyx.voxels.data<float>()[(a * 3 + b) * 2 + c], xyz.voxels.data<float>()[(c * 3 + b) * 4 + a]);
}

TEST(Readers, OtherEndingsAreNotImages) {
  EXPECT_EQ(case_name("folder/a.nii.gz"), "a");
  EXPECT_EQ(case_name("a.b.nrrd"), "a.b");
  EXPECT_EQ(case_name("._a.nii.gz"), "");
  EXPECT_EQ(case_name("a.txt"), "");
  EXPECT_EQ(case_name(".nii"), "");
  EXPECT_EQ(case_name("SCAN.NII.GZ"), "SCAN");
  EXPECT_EQ(case_name("pat_\xe9\n.png"), "pat_%E9%0A");  // may stand in JSON
  expect_error([] { read_image("scan.dcm"); }, {"scan.dcm", "convert it to one of", ".nrrd"});
}

TEST(HdfMalformed, EachMistakeIsNamed) {
  expect_error([] { read_label(folder / "no_label.h5"); }, {"no_label.h5", "no data set 'label'", "holds image"});
  expect_error([] { read_image(folder / "refused_lzf.h5"); }, {"filter 32000", "h5repack"});
  expect_error([] { read_image(folder / "refused_link.h5"); },
               {"'image' is a link to another file", "store the array itself"});
  expect_error([] { read_image(folder / "refused_sparse.h5"); }, {"of which the file holds a part", "536870912"});
  const path forms = folder / "forms.h5";
  expect_error([&] { read_hdf5(forms, "seg"); }, {"'seg' is a link to another name", "store the array itself"});
  expect_error([&] { read_hdf5(forms, "deep"); }, {"'deep' is a group"});
  expect_error([] { read_image(folder / "refused_text.h5"); }, {"does not hold plain numbers"});
  expect_error([] { decode_hdf5("HDF", "x.h5", "image"); }, {"x.h5", "not an HDF5 file"});
  const std::string whole = engine::read_file(folder / "volume.h5");
  for (std::size_t keep = 0; keep < whole.size(); keep += 97)
    expect_error([&] { decode_hdf5(whole.substr(0, keep), "cut.h5", "image"); }, {"cut.h5"});
}

/// h5py's libver="latest": which library reads it depends on the system.
TEST(HdfMalformed, AFormThatTheLibraryMayNotKnow) {
  try {
    EXPECT_EQ(read_hdf5(folder / "newest.h5", "image").to_doubles(), read_hdf5(folder / "volume.h5", "label").to_doubles());
  } catch (const engine::DataError& e) {
    EXPECT_NE(std::string(e.what()).find("newest.h5: the data set 'image' is in a form that HDF5 1."), std::string::npos)
        << e.what();
    EXPECT_NE(std::string(e.what()).find("libver='earliest'"), std::string::npos) << e.what();
  }
}

/// Found by the fuzzer: Debian's library writes into foreign memory, which must end only the child process it runs in.
TEST(HdfMalformed, AFileThatBringsTheLibraryDown) {
  const std::string bytes = engine::read_file(path(SAGCL_SOURCE_DIR) / "tests/fuzz/corpus/fuzz_hdf5/found_library_crash");
  expect_error([&] { decode_hdf5(bytes, "x.h5", "image"), decode_hdf5(bytes, "x.h5", "label"); }, {"x.h5"});
}

std::string nrrd_with(const std::string& fields, const std::string& data = std::string(24, '\1')) {
  return "NRRD0004\ntype: uchar\ndimension: 3\nencoding: raw\nsizes: 2 3 4\n" + fields + "\n" + data;
}
Image parse(const std::string& bytes) {
  return decode_nrrd(bytes, "x.nrrd",
                     [](const std::string& name) { return name == "d.raw" ? std::string(30, '\2') : std::string(); });
}

TEST(Nrrd, FieldsThatMoveTheData) {
  EXPECT_EQ(parse(nrrd_with("")).voxels.to_doubles(), std::vector<double>(24, 1));
  EXPECT_EQ(parse(nrrd_with("byte skip: 3\n", "abc" + std::string(24, '\5'))).voxels.to_doubles(),
            std::vector<double>(24, 5));
  EXPECT_EQ(parse(nrrd_with("byteskip: -1\n", "abcdef" + std::string(24, '\5'))).voxels.to_doubles(),
            std::vector<double>(24, 5));
  EXPECT_EQ(parse(nrrd_with("line skip: 2\n", "a\nb\n" + std::string(24, '\5'))).voxels.to_doubles(),
            std::vector<double>(24, 5));
  EXPECT_EQ(parse(nrrd_with("byte skip: -1\ndata file: d.raw\n")).voxels.to_doubles(), std::vector<double>(24, 2));
}

TEST(Nrrd, UnitsBecomeMillimetres) {
  const Image image =
      parse(nrrd_with("space: LPS\nspace units: \"cm\" \"cm\" \"cm\"\nspace directions: (1,0,0) (0,2,0) (0,0,3)\n"));
  EXPECT_EQ(image.geometry.spacing, (std::array<double, 3>{30, 20, 10}));
  EXPECT_EQ(image.geometry.affine[0], -10);
}

/// As ITK writes a plane.
TEST(Nrrd, VectorsOfTwoInAPlane) {
  const std::string plane = "NRRD0004\ntype: uchar\ndimension: 2\nspace dimension: 2\nencoding: raw\nsizes: 2 3\n";
  const Image image = parse(plane + "space directions: (0.5,0) (0,0.25)\nspace origin: (4,5)\n\n" + std::string(6, '\1'));
  EXPECT_EQ(image.voxels.shape(), Shape({1, 3, 2, 1}));
  EXPECT_EQ(image.geometry.spacing, (std::array<double, 3>{1, 0.25, 0.5}));
  EXPECT_TRUE(image.geometry.placed);
  EXPECT_EQ(image.geometry.affine[3], -4);
  EXPECT_FALSE(parse(plane + "spacings: 0.5 0.25\n\n" + std::string(6, '\1')).geometry.placed);
}

TEST(NrrdMalformed, EachMistakeIsNamed) {
  const auto refused = [](const std::string& bytes, std::initializer_list<std::string> parts) {
    expect_error([&] { parse(bytes); }, parts);
  };
  refused("RIFF", {"x.nrrd", "not a NRRD file"});
  refused("NRRD0004\ntype: uchar\n\n", {"lacks the field"});
  refused(nrrd_with("", "short"), {"needs 24 bytes", "there are 5"});
  refused(nrrd_with("type: int\n"), {"'type' twice"});
  refused(nrrd_with("nonsense\n"), {"'nonsense'", "field: value"});
  refused(nrrd_with("space: LPS\nspace directions: (1,0,0) (0,1,0)\n"), {"2 entries for 3 axes"});
  refused(nrrd_with("space: LPS\nspace directions: (1,0,0) (1,0,0) (0,0,1)\n"), {"do not span a volume"});
  refused(nrrd_with("space: LPS\nspace directions: (1,0,0) (0,nan,0) (0,0,1)\n"), {"(0,nan,0)"});
  refused(nrrd_with("space: LPS\nspace directions: none none (0,0,1)\n"), {"of the 3 axes 1 lie in space"});
  refused(nrrd_with("space: scanner\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"), {"space 'scanner'"});
  refused(nrrd_with("space units: \"furlong\"\n"), {"furlong"});
  refused(nrrd_with("spacings: 1 0 1\n"), {"'spacings' has 0"});
  refused(nrrd_with("byte skip: 9999\n"), {"after byte 9999"});
  refused(nrrd_with("line skip: 40\n"), {"'line skip' is 40"});
  refused(nrrd_with("data file: LIST\n"), {"spread over several files"});
  const std::string lying =
      "NRRD0004\ntype: double\nendian: little\ndimension: 3\nsizes: 4000 4000 4000\nencoding: gzip\n\n";
  refused(lying + gzip("tiny"), {"more than", "compressed bytes can hold"});
  refused("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 9000000000000000000 9 9\nencoding: raw\n\n", {"declares"});
  refused("NRRD0004\ntype: uchar\ndimension: 2\nsizes: 2 2\nencoding: text\n\n1 2 3 4", {"encoding 'text'", "unu save"});
  refused(nrrd_with("data file: d.raw\n"), {"needs 24 bytes, d.raw has 6 more", "byte skip"});
  refused(nrrd_with("", std::string(70000, 'x')), {"more", "byte skip"});
  refused("NRRD0004\ntype: short\ndimension: 2\nsizes: 2 2\nencoding: raw\n\n12345678", {"lacks the field 'endian'"});
  Scratch s;
  put(s / "a.nhdr", "NRRD0004\ntype: uchar\ndimension: 2\nsizes: 2 2\nencoding: raw\ndata file: ../secret\n");
  expect_error([&] { read_nrrd(s / "a.nhdr"); }, {"../secret", "inside"});
}

TEST(NrrdMalformed, EveryTruncationIsRefused) {
  for (const char* file : {"int32_big.nrrd", "float64_little.nrrd"}) {
    const std::string whole = engine::read_file(folder / file);
    for (std::size_t keep = 0; keep < whole.size(); keep += 7)
      expect_error([&] { parse(whole.substr(0, keep)); }, {"x.nrrd"});
  }
}

TEST(NpyMalformed, EachMistakeIsNamed) {
  const auto npy = [](const std::string& header, std::size_t data) {
    return std::string("\x93NUMPY\1\0", 8) + char(header.size()) + '\0' + header + std::string(data, '\0');
  };
  const auto refused = [](const std::string& bytes, std::initializer_list<std::string> parts) {
    expect_error([&] { decode_npy(bytes, "x.npy"); }, parts);
  };
  EXPECT_EQ(decode_npy(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24), "x.npy").shape(),
            Shape({2, 3}));
  refused("PK", {"x.npy", "not a .npy file"});
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23), {"needs 24 bytes"});
  refused(npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", 24), {"type '|O'"});
  refused(npy("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }", 24), {"type '<f2'"});
  refused(npy("{'descr': '<f4', 'fortran_order': False}", 24), {"lacks 'shape'"});
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", 24), {"declares"});
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3, 4, 5), }", 480), {"(1, 2, 3, 4, 5)"});
  refused(std::string("\x93NUMPY\1\0\xff\xff{}", 12), {"does not fit"});
  expect_error([] { image_of_array(Tensor::zeros({5}), Axes::zyx, "x.npy"); }, {"array of", "two extents"});
}

/// NumPy has no bf16.
TEST(Npy, ActivationsInBf16AreWrittenAsF32) {
  const Tensor half = random_tensor({3, 5}, 1, engine::Dtype::f32).to(engine::Dtype::bf16);
  EXPECT_TRUE(identical(decode_npy(encode_npy(half), "half"), half.to(engine::Dtype::f32)));
}

}  // namespace
}  // namespace sagcl::tests
