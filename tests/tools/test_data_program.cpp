#include "datasets/formats/nifti.h"
#include "datasets/phantom.h"
#include "tests/tools/tools_support.h"

// sagcl-data as a user meets it.
using namespace sagcl;
using tests::contains;
using tests::run;

namespace {

/// A data set of phantoms whose labels are stored as 0 and 255.
void write_black_and_white(const std::filesystem::path& folder) {
  datasets::write_phantoms(folder, {.extents = {{4, 16, 16}}, .classes = 2}, 4, 1, 1);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "labelsTr")) {
    engine::Tensor mask = datasets::read_nifti(entry.path()).voxels;
    engine::Tensor white = engine::Tensor::zeros({4, 16, 16}, engine::Dtype::u8);
    for (std::int64_t i = 0; i < mask.size(); ++i) white.data<std::uint8_t>()[i] = mask.data<float>()[i] > 0 ? 255 : 0;
    datasets::write_nifti(entry.path(), white, {});
  }
  std::filesystem::remove_all(folder / "labelsTs");
  std::filesystem::remove(folder / "dataset.json");
  tests::put(folder / "dataset.json", R"({"labels": {"background": 0, "organ": 1}})");
}

}  // namespace

TEST(DataProgram, ChecksConvertsAndDivides) {
  tests::Scratch s;
  write_black_and_white(s / "in");
  const std::string in = (s / "in").string(), out = (s / "out").string(), map = "0:0,255:1";
  const auto refused = run("sagcl-data", {"check", in});
  EXPECT_EQ(refused.code, 65);
  EXPECT_TRUE(contains(refused.out, "--set data.label_map=" + map)) << refused.err;
  EXPECT_TRUE(contains(refused.out, "4 errors"));
  const auto checked = run("sagcl-data", {"check", in, "--label-map", map, "--pictures", (s / "look.html").string()});
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  EXPECT_TRUE(contains(tests::content_of(s / "look.html"), "<svg"));
  EXPECT_EQ(run("sagcl-data", {"convert", in, "--to", out, "--label-map", map}).code, 0);
  EXPECT_EQ(run("sagcl-data", {"check", out}).code, 0);  // classes now
  const auto info = run("sagcl-data", {"info", out});
  EXPECT_TRUE(contains(info.out, "layout nnU-Net"));
  EXPECT_TRUE(contains(info.out, "5 training, 0 validation, 1 test cases of 6 patients"));
  EXPECT_EQ(
      run("sagcl-data", {"split", out, "--out", (s / "split.json").string(), "--labeled", "2", "--validation", "1"}).code,
      0);
  EXPECT_TRUE(contains(tests::content_of(s / "split.json"), "sha256"));
  const auto again = run("sagcl-data", {"convert", in, "--to", out});
  EXPECT_EQ(again.code, 2);
  EXPECT_TRUE(contains(again.err, "choose a new folder"));
  EXPECT_EQ(run("sagcl-data", {"check", (s / "nowhere").string()}).code, 66);
  EXPECT_EQ(run("sagcl-data", {}).code, 2);
}

/// A division made beforehand is the one a run trains on, and labels stored as 0 and 255 are read by data.label_map.
TEST(DataProgram, ARunTrainsOnTheDivisionAndTheLabelMap) {
  tests::Scratch s;
  write_black_and_white(s / "in");
  const std::string in = (s / "in").string(), split = (s / "split.json").string(), map = "0:0,255:1";
  ASSERT_EQ(run("sagcl-data",
                {"split", in, "--out", split, "--label-map", map, "--labeled", "phantom_002", "--test", "phantom_000"})
                .code,
            0);
  const auto trained = run("sagcl-train", {"--data", in, "--split", split, "--out", (s / "run").string(), "--method",
                                           "supervised", "--set", "data.label_map=" + map, "--set", "network.width=2",
                                           "--set", "train.patch=16,16,16", "--set", "train.steps=2", "--device", "cpu"});
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(tests::content_of(s / "run/split.json"), tests::content_of(split));
  // Its predictions are compared with the data set itself.
  const auto compared = run("sagcl-eval", {"--pred", (s / "run/predictions").string(), "--ref", in});
  EXPECT_TRUE(contains(compared.err, "255"));  // without a dataset.json that says so, the labels are not classes
  tests::put(s / "in/dataset.json", R"({"labels": {"background": 0, "organ": 1}, "label_map": "0:0,255:1"})");
  const auto accepted = run("sagcl-eval", {"--pred", (s / "run/predictions").string(), "--ref", in});
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  EXPECT_TRUE(contains(accepted.out, "organ"));
}
