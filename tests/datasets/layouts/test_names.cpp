#include <gtest/gtest.h>

#include "datasets/convert.h"
#include "datasets/formats/png.h"
#include "datasets/load.h"
#include "datasets/split.h"
#include "datasets/text.h"
#include "tests/datasets/layouts/named_folder.h"

// What names of files say, of patients and channels, and what must not be passed over in silence.
namespace sagcl::tests {
namespace {

/// Names of BIDS say who the subject is; sessions, runs and modalities of one stay together, and that is said.
TEST(Patients, OfNamesOfBids) {
  Folder f;
  for (const char* n : {"sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "sub-02_ses-pre_acq-hi_T1w", "sub-02_ses-post_run-01_bold",
                        "sub-03", "other_4"})
    f.image(std::string("imagesTr/") + n + ".nii"), f.mask(std::string("labelsTr/") + n + ".nii");
  for (const char* n : {"sub-acute_000", "sub-acute_001"})  // words and numbers, no entities
    f.image(std::string("imagesTr/") + n + ".nii"), f.mask(std::string("labelsTr/") + n + ".nii");
  f.image("imagesUn/sub-03_ses-2.nii");
  f.json("{" + labels + "}");
  const Dataset d = f.open();
  std::map<std::string, std::string> patients;
  for (const Case& one : d.cases) patients[one.id] = one.patient;
  EXPECT_EQ(patients, (std::map<std::string, std::string>{{"other_4", "other_4"},
                                                          {"sub-01_ses-1_T1w", "sub-01"},
                                                          {"sub-01_ses-2_T1w", "sub-01"},
                                                          {"sub-02_ses-post_run-01_bold", "sub-02"},
                                                          {"sub-02_ses-pre_acq-hi_T1w", "sub-02"},
                                                          {"sub-03", "sub-03"},
                                                          {"sub-03_ses-2", "sub-03"},
                                                          {"sub-acute_000", "sub-acute_000"},
                                                          {"sub-acute_001", "sub-acute_001"}}));
  ASSERT_EQ(d.warnings.size(), 1u);
  EXPECT_TRUE(f.warned(d,
                       "6 cases belong to 3 patients by their names, as BIDS writes them (sub-XX): sub-01 has "
                       "sub-01_ses-1_T1w, sub-01_ses-2_T1w"));
  f.json("{" + labels + R"(, "patients": {"sub-01_ses-1_T1w": "a", "sub-01_ses-2_T1w": "sub-01_ses-2_T1w"}})");
  EXPECT_EQ(f.open().cases[1].patient, "a");
  EXPECT_TRUE(f.open().warnings.empty());
  convert_dataset(f.open(), f.s / "out", {});
  EXPECT_EQ(open_dataset(f.s / "out").cases[2].patient, "sub-01_ses-2_T1w");  // what was said is not lost
}

TEST(Patients, ThatLookLikeSeveralImages) {
  const auto until = [](const Ids& names) {
    Folder f;
    for (const std::string& n : names) f.image("imagesTr/" + n + ".nii"), f.mask("labelsTr/" + n + ".nii");
    f.json("{" + labels + "}");
    const Dataset d = f.open();
    if (d.warnings.empty()) return std::string();
    const std::string text = d.warnings[0], key = "\"patient_until\": ";
    return text.substr(text.find(key) + key.size(), 6);
  };
  EXPECT_EQ(until({"p1_ses-a_T1w", "p1_ses-b_T1w", "p2_ses-a_T1w", "p2_ses-b_T1w"}), "\"_ses-");
  EXPECT_EQ(until({"p1_visit1_flair", "p1_visit2_flair", "p2_visit1_flair"}), "\"_visi");
  EXPECT_EQ(until({"liver_t1_001", "liver_t1_002", "liver_t1_003"}), "");  // a number of the case behind the modality's
  EXPECT_EQ(until({"bids-sub", "x_sub-", "sub-", "subject_1"}), "");
}

TEST(Names, ChannelOrNumber) {
  Folder f;
  for (const char* n : {"amos_0001", "amos_0004"}) f.image(std::string("imagesTr/") + n + ".nii");
  f.json("{" + labels + "}");
  EXPECT_EQ(ids(f.open().cases), (Ids{"amos_0001", "amos_0004"}));  // no channels: they would not begin at 0000
  Folder mixed;
  for (const char* n : {"c0_0000", "c1_0000", "c2"}) mixed.image(std::string("imagesTr/") + n + ".nii");
  for (const char* n : {"c0", "c1", "c2"}) mixed.mask(std::string("labelsTr/") + n + ".nii");
  mixed.json("{" + labels + "}");
  expect_error([&] { mixed.open(); }, {"1 of 3 images lack the channel suffix", "rename", "c2.nii"});
}

/// All cases whose channel files are not complete are named at once, and the checker looks at the others.
TEST(Channels, ThatAreMissing) {
  Folder f;
  const auto channel = [&](int i, int c) { f.image(fmt::format("imagesTr/p{:02}_{:04}.nii", i, c), float(2 * i + c)); };
  for (int i = 0; i < 30; ++i) channel(i, 0), channel(i, 1), f.mask(fmt::format("labelsTr/p{:02}.nii", i));
  f.json("{" + labels + "}");
  EXPECT_TRUE(check_folder(f.s.path(), {}).usable());
  fs::remove(f.s / "imagesTr/p03_0000.nii"), fs::remove(f.s / "imagesTr/p07_0001.nii");
  const std::string both = "in 2 cases (p03 lacks _0000, p07 lacks _0001)";
  expect_error([&] { f.open(); }, {both, "add the missing files"});
  const DatasetReport report = check_folder(f.s.path(), {});
  EXPECT_TRUE(said(report, true, both));
  EXPECT_EQ(report.cases, 28);
  channel(9, 2);
  for (int i = 10; i < 20; ++i) fs::remove(f.s / fmt::format("imagesTr/p{}_0001.nii", i));
  expect_error([&] { f.open(); }, {"in 13 cases", "p09 has _0002, too", "p16 lacks _0001 and 3 more)"});
  for (int i = 20; i < 30; ++i) fs::remove(f.s / fmt::format("imagesTr/p{}_0001.nii", i));
  f.json("{" + labels + R"(, "channel_names": {"0": "T1", "1": "T2"}})");  // which is right, though most cases have one
  expect_error([&] { f.open(); }, {"in 23 cases", "p07 lacks _0001, p09 has _0002, too, p10 lacks _0001"});
}

TEST(Channels, OfFilesThatDatasetJsonLists) {
  Folder f;
  for (const char* n : {"a", "b", "c"})
    f.image(std::string("imagesTr/t1") + n + ".nii", 5), f.image(std::string("imagesTr/t2") + n + ".nii", 7),
        f.mask(std::string("labelsTr/") + n + ".nii");
  const auto list = [&](const std::string& last) {
    f.json("{" + labels + R"(, "training": [
      {"image": ["imagesTr/t1a.nii", "imagesTr/t2a.nii"], "label": "labelsTr/a.nii"},
      {"image": ["imagesTr/t1b.nii", "imagesTr/t2b.nii"], "label": "labelsTr/b.nii"},
      {"image": [)" +
           last + R"(], "label": "labelsTr/c.nii"}]})");
  };
  list(R"("imagesTr/t1c.nii", "imagesTr/t2c.nii")");
  const Dataset d = f.open();
  EXPECT_EQ(ids(d.cases), (Ids{"t1a", "t1b", "t1c"}));
  EXPECT_EQ(d.channels, 2);
  const Tensor voxels = load_image(d.cases[2], 2).voxels;
  EXPECT_EQ((std::vector{voxels.data<float>()[0], voxels.data<float>()[1]}), (std::vector{5.f, 7.f}));
  list(R"("imagesTr/t1c.nii")");
  expect_error([&] { f.open(); }, {"case t1a has 2 channel files, t1c has 1", "t2c has 1"});
}

TEST(Names, UpperCaseAndOtherEncodings) {
  Folder f;
  f.image("imagesTr/a.nii.gz"), f.mask("labelsTr/a.nii.gz");
  fs::rename(f.s / "imagesTr/a.nii.gz", f.s / "imagesTr/pat_\xe9.NII.GZ");
  fs::rename(f.s / "labelsTr/a.nii.gz", f.s / "labelsTr/pat_\xe9.nii.gz");
  f.json("{" + labels + "}");
  const Dataset d = f.open();
  ASSERT_EQ(ids(d.cases), (Ids{"pat_%E9"}));
  EXPECT_TRUE(d.cases[0].has_label());
  write_split(f.s / "split.json", d, make_split(d, {}));  // JSON is UTF-8
  EXPECT_EQ(read_split(f.s / "split.json", d).labelled, (Ids{"pat_%E9"}));
  EXPECT_EQ(open_dataset((f.s.path() / "").string()).name, f.s.path().filename().string());  // "DIR/"
}

TEST(Names, TextThatEditorsWrite) {
  Scratch s;
  put(s / "bom.list", "\xef\xbb\xbfpatient001\n");
  EXPECT_EQ(read_text(s / "bom.list"), "patient001\n");
  put(s / "wide.list", std::string("\xff\xfep\0", 4));
  expect_error([&] { read_text(s / "wide.list"); }, {"wide.list", "UTF-16", "save it as UTF-8"});
  EXPECT_EQ(printable("étude 患者 <b>"), "étude 患者 <b>");
  EXPECT_EQ(printable("\xc3(\xed\xa0\x80\t"), "%C3(%ED%A0%80%09");
  EXPECT_EQ(printable_lines("a\033[2J\n\nb\xff"), "a%1B[2J\n\nb%FF");
}

TEST(PassedOver, IsSaid) {
  Folder f;
  f.image("imagesTr/a.nii"), f.mask("labelsTr/a.nii");
  f.json("{" + labels + "}");
  for (const char* quiet : {"._a.nii", ".DS_Store", "Thumbs.db"}) put(f.s / (std::string("imagesTr/") + quiet), "x");
  EXPECT_TRUE(f.open().warnings.empty());
  for (const char* other : {"b.mha", "c.hdr", "c.img", "d.npz", "e", "notes.txt"})
    put(f.s / (std::string("imagesTr/") + other), "x");
  fs::create_directories(f.s / "labelsTr/patient1.nii.gz");
  const Dataset d = f.open();
  for (const char* part : {".mha is not read", "(c.hdr)", "(c.img)", "(d.npz)", "a name without ending", "(notes.txt)",
                           "labelsTr: 1 folder is passed over (patient1.nii.gz)"})
    EXPECT_TRUE(f.warned(d, part)) << part;
  EXPECT_EQ(d.cases.size(), 1u);
  // A case whose content was not fetched (git-annex) is a mistake, not a smaller data set.
  fs::create_symlink("../.git/annex/objects/x", f.s / "imagesTr/z.nii.gz");
  expect_error([&] { f.open(); }, {"z.nii.gz", "is a link to ../.git/annex/objects/x", "git annex get"});
}

/// An error that is the consequence of what was passed over says so.
TEST(PassedOver, IsSaidWhereNothingElseIsThere) {
  Folder masks;
  masks.image("imagesTr/a.nii"), put(masks.s / "labelsTr/a.jpg", "x");
  const auto opening = [](const Folder& f) { return [&f] { f.open(); }; };
  expect_error(opening(masks), {"holds 1 image and 0 labels", "labelsTr: 1 file is passed over (a.jpg): .jpg is not read",
                                "JPEG changes the values of masks"});
  masks.json("{" + labels + "}");
  const DatasetReport report = check_folder(masks.s.path(), {});
  EXPECT_FALSE(report.usable());
  EXPECT_TRUE(said(report, false, "(a.jpg)"));
  EXPECT_TRUE(said(report, true, "holds 1 image and 0 labels for training"));

  Folder images;
  for (const char* n : {"a", "b"})
    put(images.s / (std::string("imagesTr/") + n + ".tif"), "x"), images.mask(std::string("labelsTr/") + n + ".nii");
  const std::string tif = "2 files are passed over (a.tif, b.tif): .tif is not read; convert images to one of .nii.gz";
  expect_error(opening(images), {"labelsTr: 2 labels without an image", "(a.nii, b.nii)", tif});
  const DatasetReport checked = check_folder(images.s.path(), {});
  EXPECT_EQ(checked.problems.size(), 2u);
  EXPECT_TRUE(said(checked, true, "holds no image"));
  EXPECT_TRUE(said(checked, true, tif));

  Folder folders;
  folders.image("imagesTr/case1/image.nii.gz");
  expect_error(opening(folders), {"holds no image", "1 folder is passed over (case1)", "move images up"});

  Folder unlabelled;
  unlabelled.image("imagesTr/a.nii"), unlabelled.image("imagesTr/b.nii");
  expect_error(opening(unlabelled), {"holds 2 images and 0 labels", "into", "labelsTr"});
  unlabelled.mask("labelsTr/a.nii", 0);
  expect_error(opening(unlabelled), {"1 label hold background alone"});
}

TEST(PassedOver, CasesThatNoListNames) {
  Folder f;
  put(f.s / "train.list", "one\n");
  for (const char* n : {"one", "two"}) {
    fs::create_directories(f.s / n);
    fs::copy_file(fs::path(SAGCL_SOURCE_DIR) / "tests/datasets/golden/readers/volume.h5", f.s / n / "mri_norm2.h5");
  }
  const Dataset d = f.open();
  EXPECT_EQ(ids(d.cases), (Ids{"one"}));
  EXPECT_TRUE(f.warned(d, "1 cases are named in no list, so they are not used (two)"));
}

/// The first image does not decide alone whether tiles are in colour.
TEST(Channels, GreyAndColourTiles) {
  Scratch s;
  for (const char* part : {"imagesTr", "labelsTr"}) fs::create_directories(s / part);
  write_png(s / "imagesTr/a.png", Tensor::full({4, 5}, 9, engine::Dtype::u8));
  write_png(s / "imagesTr/b.png", Tensor::full({4, 5, 3}, 9, engine::Dtype::u8));
  for (const char* n : {"a", "b"})
    write_png(s / (std::string("labelsTr/") + n + ".png"), Tensor::full({4, 5}, 1, engine::Dtype::u8));
  put(s / "dataset.json", "{" + labels + "}");
  const Dataset d = open_dataset(s.path());
  EXPECT_EQ(d.channels, 3);
  ASSERT_EQ(d.warnings.size(), 1u);
  EXPECT_NE(d.warnings[0].find("b.png is in colour"), std::string::npos);
  fs::remove(s / "imagesTr/b.png"), fs::remove(s / "labelsTr/b.png");
  EXPECT_EQ(open_dataset(s.path()).channels, 1);
  put(s / "dataset.json", "{" + labels + R"(, "channel_names": {"0": "R", "1": "G", "2": "B"}})");
  EXPECT_EQ(open_dataset(s.path()).channels, 3);
}

}  // namespace
}  // namespace sagcl::tests
