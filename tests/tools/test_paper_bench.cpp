#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>
#include <optional>

#include "tests/tools/tools_support.h"
#include "tools/bench/label_curve.h"
#include "tools/bench/paper_plan.h"
#include "tools/bench/paper_text.h"
#include "tools/bench/run_pool.h"
#include "tools/evaluate/label_gap.h"

// sagcl-bench paper: which runs a table consists of, how they are run, and what is made of their results.
using namespace sagcl;
using tests::contains;
using tests::expect_error;
using tests::Folders;
using tests::run;
using tools::Role;
using tools::RowResult;
using tools::WarmUp;

namespace {

RowResult result(const std::string& id, Role role, const std::string& labelled, const std::vector<double>& dice,
                 std::size_t first_seed = 0) {
  RowResult row{{{.id = id, .name = id, .arguments = {}}, role}, labelled};
  for (std::size_t i = 0; i < dice.size(); ++i)
    row.seeds.push_back({.seed = std::to_string(first_seed + i),
                         .figures = {dice[i], dice[i] - 8, 4, 1},
                         .minutes = 2,
                         .milliseconds = 30,
                         .peak_mib = 500,
                         .million_parameters = 0.25});
  return row;
}

/// Three seeds of supervised training, of a method and of all labels; the mean of pasted is the better one.
std::vector<RowResult> made_up() {
  return {result("supervised", Role::supervised, "3", {50, 58, 54}),
          result("supervised-pasted", Role::supervised_pasted, "3", {70, 74, 66}),
          result("all-labels", Role::all_labels, "all", {88, 90, 92}), result("bcp", Role::method, "3", {73, 79, 73})};
}

std::vector<std::string> ids(const tools::PaperPlan& plan) {
  std::vector<std::string> names;
  for (const auto& row : plan.rows) names.push_back(row.row.id);
  return names;
}

}  // namespace

TEST(LabelGap, ShareThatIsRecovered) {
  EXPECT_DOUBLE_EQ(tools::recovered_share(75, 70, 90), 0.25);
  EXPECT_DOUBLE_EQ(tools::recovered_share(65, 70, 90), -0.25);
  EXPECT_TRUE(std::isnan(tools::recovered_share(75, 70, 70)));
  EXPECT_TRUE(std::isnan(tools::recovered_share(75, NAN, 90)));
}

TEST(PaperResults, DifferencesArePairedBySeed) {
  std::vector<RowResult> all = made_up();
  EXPECT_EQ(tools::paired_differences(all[3], all), (std::vector<double>{3, 5, 7}));
  EXPECT_EQ(tools::paired_differences(all[0], all), (std::vector<double>{-20, -16, -12}));
  EXPECT_TRUE(tools::paired_differences(all[1], all).empty());  // itself
  EXPECT_TRUE(tools::paired_differences(all[2], all).empty());  // has other labels
  EXPECT_DOUBLE_EQ(tools::deviation({3, 5, 7}), 2);
  all.push_back(result("late", Role::method, "3", {70, 71}, 2));  // seeds 2 and 3
  EXPECT_EQ(tools::paired_differences(all[4], all), (std::vector<double>{4}));
}

TEST(PaperResults, GapIsOfTheSeedsThatAllHave) {
  std::vector<RowResult> all = made_up();
  EXPECT_DOUBLE_EQ(tools::gap_share(all[3], all), (75.0 - 70) / (90 - 70));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(tools::gap_share(all[std::size_t(i)], all)));
  all.push_back(result("late", Role::method, "3", {70, 71}, 2));
  EXPECT_DOUBLE_EQ(tools::gap_share(all[4], all), (70.0 - 66) / (92 - 66));  // seed 2 alone
  all.push_back(result("other", Role::method, "7", {80, 80, 80}));
  EXPECT_TRUE(std::isnan(tools::gap_share(all[5], all)));  // no supervised training with 7
  all[2] = result("all-labels", Role::all_labels, "all", {70, 70, 70});
  EXPECT_TRUE(std::isnan(tools::gap_share(all[3], all)));  // no gap
}

TEST(PaperText, MarkdownCsvAndPicture) {
  std::vector<RowResult> all = made_up();
  const tools::PaperTable& table = tools::paper_table("II");
  all[3].planned.row = *std::find_if(table.rows.begin(), table.rows.end(), [](const auto& r) { return r.id == "bcp"; });
  const tools::TableHead head{.table = table, .preset = "acdc-cpu", .not_built = {"arco"}};
  const std::string text = tools::to_markdown(head, all);
  EXPECT_TRUE(contains(text, "# Table II: methods, on ACDC\n\nPreset acdc-cpu."));
  EXPECT_TRUE(contains(text,
                       "| bcp | 3 | 3 | 75.0 ± 3.5 | 67.0 ± 3.5 | 4.00 ± 0.00 | 1.00 ± 0.00 | +5.0 ± 2.0 | 25 % | 30 | 2.0 "
                       "| 500 | 87.59 (o) | 78.67 | 1.90 | 0.67 |"));
  EXPECT_TRUE(
      contains(text, "| supervised | 3 | 3 | 54.0 ± 4.0 | 46.0 ± 4.0 | 4.00 ± 0.00 | 1.00 ± 0.00 | -16.0 ± 4.0 | - |"));
  EXPECT_TRUE(
      contains(text, "| arco | 3 | not built | - | - | - | - | - | - | - | - | - | 88.51 | 76.54 (!) | 2.20 | 1.40 |"));
  all[0].seeds[1].figures.hd95 = NAN;  // nothing was predicted
  EXPECT_TRUE(contains(tools::to_markdown(head, all), "| supervised | 3 | 3 | 54.0 ± 4.0 | 46.0 ± 4.0 | - | 1.00 ± 0.00 |"));
  EXPECT_TRUE(contains(tools::to_csv(head, all), "II,bcp,\"bcp\",3,3,0,0:73.000 1:79.000 2:73.000,75.000,3.464,"));
  const std::string svg = tools::to_svg(head, all);
  EXPECT_EQ(svg.substr(0, 9), "<svg xmln");
  EXPECT_EQ(std::count(svg.begin(), svg.end(), '\n'), 1);
  std::size_t points = 0;
  for (std::size_t i = svg.find("<circle"); i != std::string::npos; i = svg.find("<circle", i + 1)) ++points;
  EXPECT_EQ(points, 12u);
}

TEST(PaperText, CostHasParametersAndMultiples) {
  std::vector<RowResult> all = made_up();
  const tools::PaperTable& table = tools::paper_table("VI");
  all[3].planned.row = *std::find_if(table.rows.begin(), table.rows.end(), [](const auto& r) { return r.id == "ua-mt"; });
  for (auto& seed : all[3].seeds) seed.milliseconds = 75;
  EXPECT_TRUE(contains(tools::to_markdown({.table = table, .preset = "la-cpu"}, all),
                       "| ua-mt | 3 | 3 | 0.25 | 75 | 2.50 | 2.0 ± 0.0 | 500 | 9.44 | 67.5 |"));
}

TEST(LabelCurve, SaysWhatADoublingBringsSeedBySeed) {
  std::vector<RowResult> rows = {result("method", Role::method, "8", {80, 86}),
                                 result("method", Role::method, "2", {60, 70, 75}),
                                 result("all-labels", Role::all_labels, "all", {90, 92})};
  const auto gains = tools::label_gains("method", rows);
  ASSERT_EQ(gains.size(), 1u);
  EXPECT_EQ(gains[0].from, 2);
  EXPECT_EQ(gains[0].per_double, (std::vector<double>{10, 8}));  // two doublings; of the third seed one end is missing
  const std::string text = tools::curve_text(rows);
  EXPECT_TRUE(
      contains(text, "from 2 to 8 labelled patients Dice changes by 9.0 points for each doubling (± 1.4 over seeds)"));
  EXPECT_TRUE(contains(text, "ten more labels bring 10.5 points at most"));  // 9 log2(18 / 8)
  EXPECT_TRUE(contains(text, "all labels are at 91.0, 8 is at 83.0"));
  EXPECT_TRUE(contains(tools::curve_svg(rows), "What more labels bring"));
  rows[0].seeds = {{.seed = "0", .figures = {50, 40, 4, 1}}};
  EXPECT_TRUE(contains(tools::curve_text(rows), "more labels promise nothing by this curve"));
  rows[0].labelled = "0.1";
  expect_error<engine::UsageError>([&] { tools::curve_text(rows); }, {"--labelled 0.1", "numbers of labelled patients"});
}

TEST(PaperTables, HoldWhatWasPrinted) {
  const tools::PaperTable& one = tools::paper_table("I");
  const auto row = [&](const std::string& id) {
    return *std::find_if(one.rows.begin(), one.rows.end(), [&](const auto& r) { return r.id == id; });
  };
  for (const char* id : {"mean-teacher", "ua-mt", "double-ua", "sassnet", "dtc", "urpc", "mc-net", "mc-net-plus", "ss-net",
                         "action", "arco", "bcp", "semi-agcl"})
    EXPECT_EQ(row(id).id, id);
  EXPECT_TRUE(row("ua-mt").built);
  EXPECT_EQ(printed(one, row("ss-net"), "4")->dice, 86.33);
  EXPECT_EQ(printed(one, row("ss-net"), "0.1")->dice, 88.55);
  EXPECT_EQ(row("ss-net").source, tools::Source::picked_on_test);
  EXPECT_EQ(printed(one, row("ss-net"), "5"), nullptr);
  EXPECT_EQ(printed(one, row("mean-teacher"), "4"), nullptr);
  EXPECT_EQ(printed(one, one.supervised, "all")->dice, 91.44);
  expect_error<engine::UsageError>([] { tools::paper_table("VII"); }, {"no table 'VII'", "hippocampus"});
}

TEST(PaperTables, PrintedPairsOfDiceAndJaccardAreChecked) {
  EXPECT_TRUE(tools::jaccard_fits_dice(86.33, 76.15));   // SS-Net on LA
  EXPECT_FALSE(tools::jaccard_fits_dice(90.44, 79.05));  // too small
  EXPECT_FALSE(tools::jaccard_fits_dice(66.43, 68.78));  // larger than Dice
  EXPECT_TRUE(tools::jaccard_fits_dice(100, 100));
}

TEST(PaperPlan, SupervisedTrainingStandsBesideEveryRow) {
  tools::PaperBench bench;
  bench.table = "II", bench.rows = {"ua-mt", "bcp"}, bench.seeds = {"0", "1"}, bench.out = "OUT";
  bench.warm_ups = {WarmUp::plain, WarmUp::pasted};
  const tools::PaperPlan plan = tools::plan_of(bench);
  EXPECT_EQ(plan.preset, "acdc-cpu");
  EXPECT_EQ(ids(plan), (std::vector<std::string>{"supervised", "supervised-pasted", "all-labels", "ua-mt", "ua-mt-pasted",
                                                 "bcp"}));  // which pastes in its own warm-up
  EXPECT_EQ(plan.runs.size(), 2u * 2 * 5 + 2);              // all labels once for every seed
  const auto& first = plan.runs.front().command;
  EXPECT_NE(std::find(first.begin(), first.end(), "data.labelled_pick=block"), first.end());
  bench.size = "full", bench.rows = {}, bench.warm_ups = {WarmUp::always};
  EXPECT_EQ(tools::plan_of(bench).preset, "acdc");
  const auto all = ids(tools::plan_of(bench));
  EXPECT_EQ(std::count(all.begin(), all.end(), "semi-agcl"), 1);  // which pastes as bcp does
  EXPECT_EQ(std::count(all.begin(), all.end(), "semi-agcl-stable-always"), 1);
  bench.rows = {"ua-nt"};
  expect_error<engine::UsageError>([&] { tools::plan_of(bench); }, {"no row 'ua-nt'", "did you mean ua-mt?"});
}

TEST(RunPool, RunsSideBySideAndStops) {
  Folders f;
  tools::RunPool pool;
  pool.start(7, {"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}, f("seven"));
  pool.start(8, {"/bin/sleep", "60"}, f("eight"));
  std::optional<tools::RunPool::Ended> ended;
  while (!(ended = pool.wait())) {}
  EXPECT_EQ(ended->id, 7u);
  EXPECT_EQ(ended->code, 3);
  EXPECT_EQ(tests::content_of(f("seven")), "out\nerr\n");
  EXPECT_EQ(pool.running(), std::vector<std::size_t>{8});
  pool.stop();
  while (!(ended = pool.wait())) {}
  EXPECT_EQ(ended->code, 128 + SIGTERM);
  expect_error<engine::IoError>([&] { pool.start(9, {"/no/such/program"}, f("nine")); }, {"/no/such/program"});
}

TEST(Bench, RunsRowsOfThePaperAndGoesOnWhereItStopped) {
  Folders f;
  const std::string data = std::string(SAGCL_SOURCE_DIR) + "/data/hippocampus";
  const auto table = [&](const std::string& rows, const std::string& jobs, const std::string& steps = "2",
                         const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"paper",    "IV",     "--preset",   "hippocampus", "--data",    data,     "--out",
                                          f("table"), "--rows", rows,         "--seeds",     "1",         "--jobs", jobs,
                                          "--device", "cpu",    "--labelled", "0.05",        "--warm-up", "plain"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    for (const char* setting :
         {"network.width=2", "train.batch=2", "train.patch=32,32,32", "data.test=1", "train.restarts=0"})
      arguments.insert(arguments.end(), {"--set", setting});
    arguments.insert(arguments.end(), {"--set", "train.steps=" + steps});
    return run("sagcl-bench", arguments);
  };
  const auto first = table("row01", "2");
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_TRUE(contains(first.err, "row01, labels 0.05, seed 1: Dice "));
  EXPECT_TRUE(contains(first.err, "runs 4/4 100 %"));
  const auto checkpoint = f("table/row01/labelled-0.05-seed-1/checkpoints/step-0000002.safetensors");
  const auto written = std::filesystem::last_write_time(checkpoint);
  const auto second = table("row01,row06", "1");
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(std::filesystem::last_write_time(checkpoint), written);  // done before, left alone
  EXPECT_TRUE(contains(second.out, "| no L_PL, no L_RW | 0.05 | 1 |"));
  EXPECT_TRUE(contains(second.out, "| l2, trace only, no L_RW | 0.05 | 1 |"));
  EXPECT_TRUE(contains(second.out, "| all labels | all | 1 |"));
  EXPECT_TRUE(contains(second.out, "| 68.82 | 68.77 | 8.67 | 2.40 |"));      // what was printed
  EXPECT_TRUE(contains(second.out, "| 67.78 | 68.88 (!) | 8.54 | 2.89 |"));  // an impossible pair
  EXPECT_EQ(tests::content_of(f("table/table-IV.md")), second.out);
  EXPECT_TRUE(contains(tests::content_of(f("table/table-IV.csv")), "IV,row06,"));
  EXPECT_TRUE(contains(tests::content_of(f("table/row06/labelled-0.05-seed-1/config.toml")), "c_nuc = 0"));
  EXPECT_TRUE(contains(tests::content_of(f("table/row06/labelled-0.05-seed-1.txt")), "labelled hippocampus_"));
  EXPECT_TRUE(contains(tests::content_of(f("table/row06/labelled-0.05-seed-1/status.json")), "\"parameters\": "));
  const auto longer = table("row01", "1", "3");  // the runs there are others
  EXPECT_EQ(longer.code, 2);
  EXPECT_TRUE(contains(longer.err, "train.steps: 2 | 3"));

  // The runs of that folder, as lines of a file, stand for the runs themselves.
  std::filesystem::rename(f("table/runs.jsonl"), f("known.jsonl"));
  std::filesystem::remove_all(f("table"));
  const auto known = table("row01,row06", "1", "2", {"--known", f("known.jsonl")});
  ASSERT_EQ(known.code, 0) << known.err;
  EXPECT_TRUE(contains(known.err, "5 of 5 runs are known"));
  EXPECT_EQ(known.out, second.out);
  EXPECT_FALSE(std::filesystem::exists(f("table/row01")));
  EXPECT_EQ(tests::content_of(f("table/runs.jsonl")), tests::content_of(f("known.jsonl")));
  const auto others = table("row01", "1", "3", {"--known", f("known.jsonl")});
  EXPECT_EQ(others.code, 2);
  EXPECT_TRUE(contains(others.err, "train.steps: 2 | 3"));
  std::ofstream(f("known.jsonl"), std::ios::app) << "{\"run\": 7}\n";
  const auto broken = table("row01", "1", "2", {"--known", f("known.jsonl")});
  EXPECT_NE(broken.code, 0);
  EXPECT_TRUE(contains(broken.err, f("known.jsonl") + ", line 6: not a run"));
}

TEST(Bench, ListsTheCommandOfEveryRun) {
  Folders f;
  const auto list = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"paper", "IV", "--data", f("pred"), "--out", f("listed"), "--rows", "row06", "--labelled",
                               "3", "--seeds", "1", "--device", "cpu", "--threads", "1", "--list"});
    return run("sagcl-bench", more);
  };
  const std::string lines = list({}).out;
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 4);
  EXPECT_TRUE(contains(lines, "sagcl-train --preset acdc-cpu --data " + f("pred") +
                                  " --device cpu --threads 1 --set data.labelled_pick=block --method supervised --set "
                                  "augment.copy_paste=never --labelled 3 --seed 1 --out " +
                                  f("listed") + "/supervised/labelled-3-seed-1\n"));
  EXPECT_TRUE(contains(
      lines, "--set augment.copy_paste=always --labelled 1.0 --seed 1 --out " + f("listed") + "/all-labels/seed-1\n"));
  EXPECT_TRUE(contains(lines, "method.mixing=none --set method.c_nuc=0 --set augment.copy_paste=never --labelled 3"));
  EXPECT_FALSE(std::filesystem::exists(f("listed")));
  EXPECT_TRUE(contains(list({"--size", "full", "--set", "train.steps=9"}).out, "--preset acdc --data"));
  const auto labels = [&](std::vector<std::string> more) {
    more.insert(more.begin(),
                {"labels", "--data", f("pred"), "--out", f("listed"), "--seeds", "0,1", "--device", "cpu", "--list"});
    return run("sagcl-bench", more);
  };
  tests::put(f("plan.toml"), "train.steps = 7\n");
  const std::string curve = labels({"--config", f("plan.toml"), "--labelled", "2,4"}).out;
  EXPECT_EQ(std::count(curve.begin(), curve.end(), '\n'), 14);  // three rows of two amounts, and all labels, of two seeds
  EXPECT_TRUE(contains(curve, "--config " + f("plan.toml") + " --data"));
  EXPECT_TRUE(contains(curve, "--set data.labelled_pick=block --labelled 4 --seed 1 --out " + f("listed/method")));
  EXPECT_TRUE(contains(labels({}).err, "which settings? Give --preset NAME, or --config FILE"));
  EXPECT_TRUE(contains(labels({"--preset", "acdc-cpu", "--labelled", "0.1"}).err, "numbers of labelled patients"));
  EXPECT_EQ(list({"--rows", "row99"}).code, 2);
  EXPECT_EQ(list({"--size", "huge"}).code, 2);
  EXPECT_EQ(run("sagcl-bench", {"paper", "VII", "--data", f("pred"), "--out", f("t7")}).code, 2);
}
