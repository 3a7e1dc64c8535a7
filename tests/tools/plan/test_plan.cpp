#include "tools/plan/plan.h"

#include "datasets/orientation.h"
#include "datasets/phantom.h"
#include "tests/tools/tools_support.h"
#include "tools/plan/fit.h"
#include "tools/run/config.h"

// Settings for images that no preset was made for.
using namespace sagcl;
using tests::contains;
using tests::expect_error;
using tests::Folders;
using tests::run;

namespace {

/// Small volumes of equal voxels, as the hippocampus.
tools::DataFacts volumes() {
  tools::DataFacts f;
  f.labelled = 8, f.unlabelled = 200, f.test = 50, f.classes = {"background", "anterior", "posterior"};
  f.measured = true;
  f.extents = {{35, 51, 36}}, f.smallest = {{24, 40, 31}}, f.largest = {{47, 59, 43}};
  f.spacing = f.finest = f.coarsest = {1, 1, 1};
  f.lowest = 0, f.highest = 2000, f.low = 200, f.high = 1800, f.mean = 900, f.deviation = 300;
  f.share = {0.94, 0.03, 0.03};
  return f;
}

std::string value(const std::vector<tools::PlanLine>& lines, const std::string& key) {
  for (const tools::PlanLine& line : lines)
    if (line.key == key) return line.value;
  return "";
}

std::string reason(const std::vector<tools::PlanLine>& lines, const std::string& key) {
  for (const tools::PlanLine& line : lines)
    if (line.key == key) return line.reason;
  return "";
}

/// The lines, which must be settings that a run can have.
std::vector<tools::PlanLine> plan(const tools::DataFacts& facts) {
  tools::Plan plan;
  plan.lines = tools::plan_of_data(facts);
  for (const tools::PlanLine& line : plan.lines) EXPECT_EQ(line.key.find(' '), std::string::npos);
  semiagcl::RunSettings s;
  tools::apply_toml(s, to_toml(plan), "plan");
  EXPECT_NO_THROW(tools::check(s)) << to_toml(plan);
  return plan.lines;
}

}  // namespace

TEST(Plan, SmallVolumes) {
  const auto lines = plan(volumes());
  EXPECT_EQ(value(lines, "network.name"), "\"vnet\"");
  EXPECT_EQ(value(lines, "train.patch"), "[32, 48, 32]");
  EXPECT_EQ(value(lines, "data.spacing"), "");
  EXPECT_EQ(value(lines, "augment.flip"), "[\"W\"]");
  EXPECT_EQ(value(lines, "augment.turn"), "20");
  EXPECT_EQ(value(lines, "evaluation.stride"), "");  // nearly a patch each
  EXPECT_EQ(value(lines, "method.preset"), "\"stable\"");
  EXPECT_EQ(value(lines, "train.method"), "\"semi-agcl\"");
  EXPECT_EQ(value(lines, "method.patch_grid"), "\"2x2x2\"");
  EXPECT_EQ(value(lines, "data.normalise"), "\"z_score\"");
}

TEST(Plan, LargeVolumesAreCutAndCropsFindTheOrgan) {
  tools::DataFacts f = volumes();
  f.extents = {{88, 240, 200}}, f.largest = {{88, 300, 300}};
  const auto lines = plan(f);
  EXPECT_EQ(value(lines, "train.patch"), "[48, 64, 64]");
  EXPECT_EQ(value(lines, "augment.foreground"), "0.33");
  EXPECT_EQ(value(lines, "method.preset"), "\"mixed\"");
  EXPECT_EQ(value(lines, "evaluation.stride"), "[24, 32, 32]");
  EXPECT_EQ(value(lines, "evaluation.blending"), "\"gaussian\"");
}

TEST(Plan, PatchesOfEachSize) {
  tools::DataFacts f = volumes();
  f.extents = {{88, 240, 200}}, f.largest = {{88, 300, 300}};
  EXPECT_EQ(value(tools::plan_of_data(f, tools::PatchSize::tiny), "train.patch"), "[32, 32, 32]");
  const auto lines = tools::plan_of_data(f, tools::PatchSize::large);
  EXPECT_EQ(value(lines, "train.patch"), "[96, 96, 96]");
  EXPECT_EQ(value(lines, "evaluation.stride"), "[48, 48, 48]");
  f.extents = {{1, 256, 216}}, f.largest = {{1, 256, 216}};
  const auto coarse = tools::plan_of_data(f, tools::PatchSize::tiny);
  EXPECT_EQ(value(coarse, "train.patch"), "[1, 128, 128]");
  EXPECT_EQ(value(coarse, "data.resize"), "128");
  EXPECT_EQ(value(coarse, "data.spacing"), "");
  EXPECT_EQ(value(coarse, "augment.foreground"), "0");
  EXPECT_EQ(value(tools::plan_of_data(f), "data.resize"), "");
  EXPECT_EQ(value(tools::plan_of_data(f, tools::PatchSize::large), "train.patch"), "[1, 256, 224]");
  EXPECT_EQ(value(coarse, "train.batch"), "8");
  EXPECT_EQ(value(tools::plan_of_data(f, tools::PatchSize::tiny, 4), "train.batch"), "4");
  EXPECT_EQ(value(tools::plan_of_data(volumes(), tools::PatchSize::tiny, 8), "train.batch"), "4");  // half of it unlabelled
}

/// Mirrors and quarter turns show images without a place in the patient from everywhere; free turns are for the others.
TEST(Plan, TilesAreTurnedByQuartersAlone) {
  tools::DataFacts f = volumes();
  f.extents = f.smallest = f.largest = {{1, 224, 224}};
  EXPECT_EQ(value(plan(f), "augment.rotate"), "false");
  EXPECT_EQ(value(plan(f), "augment.turn"), "20");
  f.measured = false;
  EXPECT_EQ(value(plan(f), "augment.flip"), "[\"H\", \"W\"]");
  EXPECT_EQ(value(plan(f), "augment.rotate"), "true");
  EXPECT_EQ(value(plan(f), "augment.turn"), "0");
  EXPECT_EQ(value(plan(f), "augment.elastic"), "");
  f.extents = {{1, 224, 160}}, f.smallest = {{1, 160, 160}};  // a patch that is no square cannot be turned by a quarter
  EXPECT_EQ(value(plan(f), "augment.rotate"), "false");
  EXPECT_EQ(value(plan(f), "augment.turn"), "20");
}

/// The highest rung that time and memory allow, and nothing is tried that the one below says will not fit.
TEST(Plan, WhatFitsTheMachineIsChosen) {
  const std::vector<tools::Rung> rungs = {{1, 0}, {2, 100}, {4, 600}, {16, 3000}};
  std::size_t tried;
  const auto chosen = [&](double seconds, double bytes) {
    tried = 0;
    return tools::highest_rung(rungs, seconds, bytes, [&](std::size_t i) {
      ++tried;
      return tools::StepCost{0.1 * rungs[i].work, 100 * rungs[i].work};
    });
  };
  EXPECT_EQ(chosen(1e6, 1e6), 3u);
  EXPECT_EQ(chosen(3000 * 1.6, 1e6), 3u);
  EXPECT_EQ(chosen(3000 * 1.5, 1e6), 2u);  // of time
  EXPECT_EQ(chosen(240, 1e6), 2u);
  EXPECT_EQ(tried, 3u);  // a step of the largest one takes minutes
  EXPECT_EQ(chosen(230, 1e6), 1u);
  EXPECT_EQ(chosen(20, 1e6), 1u);
  EXPECT_EQ(chosen(19, 1e6), 0u);   // there is nothing faster
  EXPECT_EQ(chosen(1e6, 500), 2u);  // of memory
  EXPECT_EQ(tried, 3u);
  EXPECT_EQ(chosen(1e6, 150), 0u);
  EXPECT_EQ(tried, 1u);
  EXPECT_EQ(chosen(1e6, 1), 0u);  // there is nothing smaller
}

TEST(Plan, FewCoarsePlanesAreImages) {
  tools::DataFacts f = volumes();
  f.extents = {{10, 256, 216}}, f.largest = {{16, 428, 512}};
  f.spacing = {10, 1.4, 1.4}, f.finest = {5, 0.7, 0.7}, f.coarsest = {10, 1.9, 1.9};
  f.cases = {{"a", f.extents, f.spacing, 0, 1000}};
  const auto lines = plan(f);
  EXPECT_EQ(value(lines, "network.name"), "\"unet\"");
  EXPECT_EQ(value(lines, "data.spacing"), "[0, 1.4, 1.4]");
  EXPECT_EQ(value(lines, "train.patch"), "[1, 192, 192]");
  EXPECT_EQ(value(lines, "train.batch"), "8");
  EXPECT_EQ(value(lines, "method.patch_grid"), "\"1x4x4\"");
  f.measured = false;  // nine planes of 256 pixels speak for themselves
  EXPECT_EQ(value(plan(f), "network.name"), "\"unet\"");
  f.extents = {{24, 128, 128}};
  EXPECT_EQ(value(plan(f), "network.name"), "\"vnet\"");
}

/// A longer voxel is halved less, an axis of few voxels not to less than one.
TEST(Plan, VoxelsOfTheDeepestStageAreCubes) {
  tools::DataFacts f = volumes();
  EXPECT_EQ(value(plan(f), "network.halvings"), "");
  f.extents = {{40, 256, 256}}, f.largest = {{48, 256, 256}};
  f.spacing = f.finest = f.coarsest = {3, 0.8, 0.8};
  auto lines = plan(f);
  EXPECT_EQ(value(lines, "network.halvings"), "[2, 4, 4]");
  EXPECT_EQ(value(lines, "augment.turn"), "0");
  EXPECT_EQ(value(lines, "train.patch"), "[40, 64, 64]");
  EXPECT_EQ(value(lines, "method.patch_grid"), "\"2x2x2\"");
  EXPECT_EQ(value(lines, "evaluation.stride"), "[20, 32, 32]");
  f.spacing = f.finest = f.coarsest = {1, 1, 2.2};  // sagittal slices
  f.extents = {{256, 256, 40}};
  EXPECT_EQ(value(plan(f), "network.halvings"), "[4, 4, 3]");
  f.spacing = f.finest = f.coarsest = {1, 1, 1};
  f.extents = {{9, 64, 64}};
  lines = plan(f);
  EXPECT_EQ(value(lines, "network.halvings"), "[3, 4, 4]");
  EXPECT_EQ(value(lines, "train.patch"), "[8, 64, 64]");
  f.spacing = {9, 1, 1}, f.extents = {{64, 64, 64}}, f.measured = false;  // nobody knows
  EXPECT_EQ(value(plan(f), "network.halvings"), "");
}

TEST(Plan, VoxelsOfDifferentSizesAreBroughtToTheirMedian) {
  tools::DataFacts f = volumes();
  f.spacing = {2, 1, 1}, f.coarsest = {4, 1, 1};
  f.cases = {{"a", {{18, 51, 36}}, {2, 1, 1}, 0, 1000}};
  EXPECT_EQ(value(plan(f), "data.spacing"), "[2, 1, 1]");
  f.measured = false;  // nobody knows
  EXPECT_EQ(value(plan(f), "data.spacing"), "");
}

/// Half of the volumes at 1 mm, half of them every fifth slice: seven planes of 5 mm are what all of them have then, not the
/// 36 planes that are the median of what they have now.
TEST(Plan, ExtentsAreThoseAtTheSpacingThatIsChosen) {
  tools::DataFacts f = volumes();
  f.extents = {{36, 50, 36}}, f.smallest = {{7, 40, 30}}, f.largest = {{36, 60, 40}};
  f.spacing = {5, 1, 1}, f.coarsest = {5, 1, 1};
  f.cases = {{"a", {{36, 50, 36}}, {1, 1, 1}, 0, 1000}, {"b", {{7, 50, 36}}, {5, 1, 1}, 0, 1000}};
  const auto lines = plan(f);
  EXPECT_EQ(value(lines, "network.name"), "\"unet\"");
  EXPECT_EQ(reason(lines, "network.name"), "7 planes of 5 mm, 5.0 times as far apart as pixels: each for itself");
  EXPECT_EQ(value(lines, "train.patch"), "[1, 48, 32]");
}

TEST(Plan, WhatMayBeCTIsAskedFor) {
  tools::DataFacts f = volumes();
  EXPECT_EQ(reason(plan(f), "data.normalise"),
            "of each image: brightness differs from one to the next; if this is CT, say so: \"channel_names\": {\"0\": "
            "\"CT\"} in dataset.json");
  f.channel_names = {"T1"};
  EXPECT_EQ(reason(plan(f), "data.normalise"), "of each image: brightness differs from one to the next");
  f.channel_names = {"abdominal CT"};
  const auto one = [](const char* id, double low, double high) {
    return tools::DataFacts::One{id, {{36, 50, 36}}, {1, 1, 1}, low, high};
  };
  f.cases = {one("c01", -1024, 900), one("c02", -200, 300), one("c03", -1000, 1500)};  // one is clipped
  EXPECT_EQ(value(plan(f), "data.normalise"), "\"window\"");
  f.cases.push_back(one("c04", 0, 2400));
  f.cases.push_back(one("c05", 0, 1));
  EXPECT_EQ(value(plan(f), "data.normalise"), "\"z_score\"");
  EXPECT_EQ(
      reason(plan(f), "data.normalise"),
      "of each image: CT, but 2 of 5 images are stored otherwise (above); in Hounsfield units all could share a window");
  const std::vector<std::string> said = tools::sentences(f);
  EXPECT_NE(std::find(said.begin(), said.end(),
                      "warning: case c04: its values lie from 0 to 2400, which are no Hounsfield units: an offset of 1024?; "
                      "bring it to them"),
            said.end());
  EXPECT_NE(
      std::find_if(said.begin(), said.end(), [](const auto& s) { return contains(s, "c05") && contains(s, "scaled?"); }),
      said.end());
}

/// The mirror is between left and right, whichever axis that is.
TEST(Plan, MirrorsTheSidesOfThePatient) {
  const auto flip = [](const std::vector<std::string>& codes) {
    tools::DataFacts f = volumes();
    for (const std::string& code : codes) {
      engine::Tensor voxels = engine::Tensor::zeros({2, 2, 2});
      datasets::Geometry g;
      g.placed = true;
      (void)datasets::reoriented(voxels, g, code);
      f.orientations.add("case of " + code, g);
    }
    return value(plan(f), "augment.flip");
  };
  EXPECT_EQ(flip({"LPS"}), "[\"W\"]");
  EXPECT_EQ(flip({"ARS"}), "[\"H\"]");
  EXPECT_EQ(flip({"PIR"}), "[\"D\"]");
  EXPECT_EQ(flip({"RAS", "PIR"}), "[]");
}

TEST(Plan, WhatTheImagesAndNamesSay) {
  tools::DataFacts f = volumes();
  f.classes = {"background", "Left kidney", "Right kidney"};
  EXPECT_EQ(value(plan(f), "augment.flip"), "[]");
  f.classes = {"background", "left lateral ventricle", "right lateral ventricle"};
  EXPECT_EQ(value(plan(f), "augment.flip"), "[]");
  f.classes = {"background", "right ventricle", "left ventricle"};  // of a heart: no twins
  EXPECT_EQ(value(plan(f), "augment.flip"), "[\"W\"]");
  f.classes = {"background", "left ventricle"};  // nothing to exchange it with
  EXPECT_EQ(value(plan(f), "augment.flip"), "[\"W\"]");
  f.unlabelled = 0;
  EXPECT_EQ(value(plan(f), "train.method"), "\"supervised\"");
  EXPECT_EQ(value(plan(f), "augment.copy_paste"), "\"always\"");
  tools::DataFacts ct = volumes();
  ct.cases = {{"a", {{36, 50, 36}}, {1, 1, 1}, -1024, 900}};
  ct.lowest = -1024, ct.low = -80, ct.high = 240, ct.mean = 60, ct.deviation = 40;
  EXPECT_EQ(value(plan(ct), "data.normalise"), "\"window\"");
  EXPECT_EQ(value(plan(ct), "data.window"), "[-80, 240, 60, 40]");
  ct.channel_names = {"MRI"};  // whatever the values are
  EXPECT_EQ(value(plan(ct), "data.normalise"), "\"z_score\"");
  ct.channel_names = {}, ct.whole_numbers = false;  // no Hounsfield units, unless somebody says so
  EXPECT_EQ(value(plan(ct), "data.normalise"), "\"z_score\"");
  ct.channel_names = {"ct"}, ct.cases[0].lowest = -200;  // clipped
  EXPECT_EQ(value(plan(ct), "data.normalise"), "\"window\"");
  ct.channels = 2;
  EXPECT_EQ(value(plan(ct), "data.normalise"), "\"z_score\"");
  tools::DataFacts tiles = volumes();
  tiles.channels = 3, tiles.measured = false, tiles.extents = tiles.smallest = tiles.largest = {{1, 224, 224}};
  tiles.highest = 255;
  const auto lines = plan(tiles);
  EXPECT_EQ(value(lines, "data.normalise"), "\"unit\"");
  EXPECT_EQ(value(lines, "augment.colour"), "true");
  EXPECT_EQ(value(lines, "augment.rotate"), "true");
  EXPECT_EQ(value(lines, "augment.flip"), "[\"H\", \"W\"]");
}

TEST(Plan, Times) {
  EXPECT_DOUBLE_EQ(tools::minutes_of("30m"), 30);
  EXPECT_DOUBLE_EQ(tools::minutes_of("1.5h"), 90);
  EXPECT_DOUBLE_EQ(tools::minutes_of("90s"), 1.5);
  for (const char* wrong : {"", "30", "m", "-1m", "0h", "1d", "nanm"})
    expect_error<engine::UsageError>([&] { tools::minutes_of(wrong); }, {"--time", "30m"});
}

/// In little time planes are made coarse, but not where the user says how large a crop or a voxel is.
TEST(Plan, WhatTheUserSetsIsNotMadeCoarser) {
  Folders f;
  datasets::write_phantoms(f("planes"), {.extents = {{1, 160, 160}}}, 4, 1, 0);
  const auto shown = [&](const std::vector<std::string>& set) {
    std::vector<std::string> words = {"plan", f("planes"), "--time", "1s", "--device", "cpu", "--set", "network.width=2"};
    for (const std::string& one : set) words.insert(words.end(), {"--set", one});
    return run("sagcl-data", words);
  };
  for (const char* chosen : {"train.patch=[1,64,64]", "data.spacing=[0,2,2]"}) {
    const auto plan = shown({chosen});
    EXPECT_EQ(plan.code, 0) << plan.err;
    EXPECT_TRUE(contains(plan.out, "steps = "));
    EXPECT_FALSE(contains(plan.out, "resize = ")) << chosen;
  }
  const auto twice = shown({"data.spacing=[0,2,2]", "data.resize=64"}), small = shown({"train.patch=[1,32,32]"});
  EXPECT_EQ(twice.code, 2);
  EXPECT_TRUE(contains(twice.err, "leave one out"));
  EXPECT_EQ(small.code, 2);
  EXPECT_TRUE(contains(small.err, "method.patch_grid: 4 patches leave 8 voxels"));
}

TEST(Plan, IsMadeShownAndTrained) {
  Folders f;
  const std::string data = std::string(SAGCL_SOURCE_DIR) + "/data/hippocampus";
  const auto shown = run("sagcl-data", {"plan", data, "--labelled", "4", "--time", "30m", "--device", "cpu", "--set",
                                        "network.width=2", "--set", "train.batch=2"});
  ASSERT_EQ(shown.code, 0) << shown.err;
  for (const char* part :
       {"4 labelled and ", "patch = [32, 48, 32]", "# volumes", "width = 2", "steps = ", "labelled = \"4\"",
        "30 min 00 s for the training", "held back", " of memory free", "for 32x48x32 at 2"})
    EXPECT_TRUE(contains(shown.out, part)) << part << "\n" << shown.out;
  std::ofstream(f("plan.toml")) << shown.out;
  const auto printed = run("sagcl-train", {"--config", f("plan.toml"), "--data", data, "--print-config"});
  ASSERT_EQ(printed.code, 0) << printed.err;
  EXPECT_TRUE(contains(printed.out, "patch = [32, 48, 32]"));

  const auto trained =
      run("sagcl-train", {"--data", data, "--labelled", "4", "--out", f("run"), "--device", "cpu", "--set",
                          "network.width=2", "--set", "train.batch=2", "--set", "train.steps=4", "--no-report"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(contains(tests::content_of(f("run/plan.toml")), "preset = \"stable\""));
  EXPECT_TRUE(contains(tests::content_of(f("run/config.toml")), "preset = \"stable\""));
  EXPECT_TRUE(contains(tests::content_of(f("run/config.toml")), "steps = 4"));
  EXPECT_EQ(run("sagcl-train", {"--preset", "hippocampus", "--data", data, "--out", f("b"), "--time", "5m"}).code, 2);

  // A given division is kept to: what it holds back is not looked at.
  ASSERT_EQ(run("sagcl-data", {"split", data, "--out", f("split.json"), "--labelled", "3", "--test", "12"}).code, 0);
  const auto divided = run("sagcl-train", {"--data", data, "--split", f("split.json"), "--dry-run", "--device", "cpu",
                                           "--set", "network.width=2", "--set", "train.steps=4"});
  ASSERT_EQ(divided.code, 0) << divided.err;
  EXPECT_TRUE(contains(divided.err, "# 3 labelled and 5 unlabelled cases of 8 patients, 12 test cases"));
}
