#include "tools/bench/paper_tables.h"

#include <algorithm>

#include "engine/error.h"
#include "semiagcl/baselines/registry.h"

namespace sagcl::tools {
namespace {

using Printed = std::map<std::string, Figures>;

Printed at(Figures at_5, Figures at_10) { return {{"5", at_5}, {"10", at_10}}; }

/// What is printed for a method in one of the Tables I to III.
struct PrintedRow {
  std::string method;
  Printed figures;
  Source source = Source::paper;
};

bool is_built(const std::string& method) {
  const auto& all = semiagcl::training_methods();
  return std::any_of(all.begin(), all.end(), [&](const auto& entry) { return entry.name == method; });
}

/// All methods, those of the paper first and in its order; those of the registry that it does not name behind.
std::vector<std::string> methods() {
  std::vector<std::string> names = {"mean-teacher", "ua-mt",  "double-ua", "sassnet", "dtc", "urpc",     "mc-net",
                                    "mc-net-plus",  "ss-net", "action",    "arco",    "bcp", "semi-agcl"};
  for (const auto& entry : semiagcl::training_methods())
    if (std::string(entry.name) != "supervised" && std::count(names.begin(), names.end(), entry.name) == 0)
      names.push_back(entry.name);
  return names;
}

/// Semi-AGCL with its mask M, as all its rows but one; it pastes in its own warm-up.
PaperRow semi_agcl(std::vector<std::string> settings) {
  PaperRow row{.id = "semi-agcl", .name = "semi-agcl", .arguments = {"--method", "semi-agcl"}, .pastes = true};
  settings.insert(settings.begin(), "method.preset=mixed");
  for (const std::string& setting : settings) row.arguments.insert(row.arguments.end(), {"--set", setting});
  return row;
}

/// A row for every method, with what is printed for it, and Semi-AGCL without its mask. Supervised training is not a row: it
/// stands beside all of them.
std::vector<PaperRow> method_rows(const std::vector<PrintedRow>& printed) {
  std::vector<PaperRow> rows;
  for (const std::string& name : methods()) {
    PaperRow row{.id = name, .name = name, .arguments = {"--method", name}, .built = is_built(name)};
    row.pastes = name == "bcp";
    if (name == "semi-agcl") row = semi_agcl({});
    for (const PrintedRow& p : printed)
      if (p.method == name) row.printed = p.figures, row.source = p.source;
    rows.push_back(std::move(row));
  }
  rows.push_back({.id = "semi-agcl-stable",
                  .name = "semi-agcl without M",
                  .arguments = {"--method", "semi-agcl", "--set", "method.preset=stable"}});
  return rows;
}

/// Row n of Table IV. Without a kernel there is no L_PL, so no nuclear norm either.
PaperRow losses(int n, const std::string& kernel, bool nuclear, const std::string& mixing, Figures at_5, Figures at_10) {
  const std::string pl = kernel == "none" ? "no L_PL" : kernel + (nuclear ? ", nuclear norm" : ", trace only");
  const std::string rw = mixing == "none"         ? "no L_RW"
                         : mixing == "affinity"   ? "A_ii"
                         : mixing == "one_to_one" ? "1:1"
                                                  : mixing;
  std::vector<std::string> settings = {"method.kernel=" + kernel, "method.mixing=" + mixing};
  if (kernel != "none" && !nuclear) settings.push_back("method.c_nuc=0");
  PaperRow row = semi_agcl(settings);
  row.id = fmt::format("row{:02}", n), row.name = pl + ", " + rw, row.printed = at(at_5, at_10);
  return row;
}

PaperRow score(const char* name, Figures at_5, Figures at_10) {
  PaperRow row = semi_agcl({std::string("method.score=") + name});
  row.id = name, row.name = std::string("patches by ") + name, row.printed = at(at_5, at_10);
  return row;
}

PaperRow supervised(Figures at_5, Figures at_10, Figures all) {
  return {.id = {}, .name = {}, .arguments = {}, .printed = {{"5", at_5}, {"10", at_10}, {"100", all}}};
}

PaperTable left_atrium() {
  return {
      .number = "I",
      .title = "methods, on LA",
      .cpu = "la-cpu",
      .full = "la",
      .labelled = {"4", "8"},
      .rows = method_rows({{"ua-mt", at({82.26, 70.98, 13.71, 3.82}, {87.79, 78.39, 8.68, 2.12})},
                           {"double-ua", at({82.73, 71.73, 12.53, 3.80}, {88.53, 78.83, 8.42, 2.10})},
                           {"sassnet", at({81.60, 69.63, 16.16, 3.58}, {87.54, 78.05, 9.84, 2.59})},
                           {"dtc", at({81.25, 69.33, 14.90, 3.99}, {87.51, 78.17, 8.23, 2.36})},
                           {"urpc", at({82.48, 71.35, 14.65, 3.65}, {86.92, 77.03, 11.13, 2.28})},
                           {"mc-net", at({83.59, 72.36, 14.07, 2.70}, {87.66, 78.25, 10.03, 1.82}), Source::picked_on_test},
                           {"mc-net-plus", {{"10", {88.96, 80.25, 7.93, 1.86}}}, Source::own_picked},
                           {"ss-net", at({86.33, 76.15, 9.97, 2.31}, {88.55, 79.62, 7.49, 1.90}), Source::picked_on_test},
                           {"action", at({86.60, 76.20, 9.70, 2.24}, {88.70, 78.92, 8.11, 2.10})},
                           {"arco", at({86.90, 76.10, 9.88, 2.73}, {89.10, 80.71, 7.78, 2.30})},
                           {"bcp", at({88.02, 78.72, 7.90, 2.15}, {89.62, 81.31, 6.81, 1.76}), Source::own_picked},
                           {"semi-agcl", at({90.44, 79.05, 7.78, 2.11}, {90.33, 82.53, 6.68, 1.78})}}),
      .supervised = supervised({52.55, 39.60, 47.05, 9.87}, {82.74, 71.70, 13.33, 3.26}, {91.44, 84.55, 5.48, 1.53})};
}

PaperTable cardiac(std::string number, std::string title) {
  return {.number = std::move(number),
          .title = std::move(title),
          .cpu = "acdc-cpu",
          .full = "acdc",
          .labelled = {"3", "7"},
          .rows = {},
          .supervised = supervised({47.82, 37.01, 31.16, 12.66}, {78.22, 68.05, 9.33, 2.70}, {91.44, 84.55, 4.30, 1.00})};
}

PaperTable methods_on_cardiac() {
  PaperTable table = cardiac("II", "methods, on ACDC");
  table.rows = method_rows({{"ua-mt", at({46.04, 35.97, 20.08, 7.75}, {81.66, 70.56, 6.88, 2.00})},
                            {"double-ua", at({56.88, 45.53, 22.70, 6.26}, {84.48, 73.97, 5.52, 1.90})},
                            {"sassnet", at({57.77, 46.14, 20.05, 6.06}, {84.50, 74.34, 5.42, 1.88})},
                            {"dtc", at({56.90, 45.66, 23.33, 7.38}, {84.29, 73.72, 12.81, 4.00})},
                            {"urpc", at({55.58, 43.66, 13.66, 3.78}, {83.11, 72.41, 4.84, 1.55})},
                            {"mc-net", at({62.85, 52.29, 7.62, 2.33}, {86.47, 77.13, 5.50, 1.83})},
                            {"mc-net-plus", {{"10", {87.10, 78.06, 6.68, 2.00}}}, Source::own},
                            {"ss-net", at({65.83, 55.38, 6.67, 2.28}, {86.78, 77.44, 6.00, 1.40})},
                            {"action", at({87.23, 75.34, 2.23, 1.47}, {89.70, 78.86, 4.36, 2.33})},
                            {"arco", at({88.51, 76.54, 2.20, 1.40}, {92.20, 81.96, 3.44, 2.53})},
                            {"bcp", at({87.59, 78.67, 1.90, 0.67}, {88.84, 80.62, 3.98, 1.17}), Source::own},
                            {"semi-agcl", at({88.92, 78.84, 1.90, 0.66}, {91.98, 82.96, 3.36, 1.16})}});
  return table;
}

PaperTable glands() {
  return {.number = "III",
          .title = "methods, on CRAG",
          .cpu = "glands-long",
          .full = "crag",
          .labelled = {"0.05", "0.1"},
          .rows = method_rows({{"ua-mt", at({47.75, 38.81, 18.44, 6.36}, {81.46, 71.42, 1.48, 2.23})},
                               {"double-ua", at({50.42, 44.45, 15.87, 7.05}, {87.01, 77.58, 1.50, 2.63})},
                               {"sassnet", at({48.87, 40.63, 18.87, 6.77}, {86.43, 76.98, 1.67, 2.66})},
                               {"dtc", at({50.50, 45.60, 15.92, 6.51}, {84.13, 75.24, 1.83, 2.73})},
                               {"urpc", at({58.85, 48.89, 13.99, 5.95}, {83.36, 71.79, 1.61, 2.33})},
                               {"mc-net", at({58.88, 50.50, 9.50, 5.25}, {83.30, 72.11, 1.61, 2.13})},
                               {"ss-net", at({58.95, 48.88, 10.75, 4.95}, {83.40, 70.25, 1.88, 2.58})},
                               {"action", at({66.43, 60.13, 7.40, 4.10}, {85.56, 77.33, 1.55, 2.05})},
                               {"arco", at({70.63, 63.33, 5.20, 3.33}, {88.81, 80.90, 1.33, 1.88})},
                               {"semi-agcl", at({84.42, 70.49, 1.48, 2.88}, {91.93, 83.37, 1.08, 1.76})}}),
          .supervised = supervised({40.77, 33.57, 30.11, 11.66}, {75.42, 70.05, 8.22, 2.82}, {91.10, 83.28, 1.19, 1.98})};
}

PaperTable ablation_of_losses() {
  PaperTable table = cardiac("IV", "kernel, nuclear norm and weights of hard negatives, on ACDC");
  table.rows = {losses(1, "none", false, "none", {68.82, 68.77, 8.67, 2.40}, {86.78, 77.63, 6.68, 2.00}),
                losses(2, "l2", true, "none", {66.43, 68.78, 8.58, 2.23}, {87.13, 77.53, 6.21, 1.90}),
                losses(3, "l2", true, "affinity", {88.92, 78.84, 1.90, 0.66}, {89.98, 80.96, 3.66, 1.16}),
                losses(4, "l2", true, "one_to_one", {86.06, 75.83, 7.88, 1.93}, {87.93, 78.83, 8.44, 2.00}),
                losses(5, "l2", true, "random", {85.56, 73.26, 8.53, 2.33}, {88.10, 79.82, 7.78, 1.83}),
                losses(6, "l2", false, "none", {67.78, 68.88, 8.54, 2.89}, {87.78, 77.56, 6.70, 2.10}),
                losses(7, "l2", false, "affinity", {71.71, 72.53, 7.74, 2.11}, {87.78, 77.58, 6.71, 2.15}),
                losses(8, "l2", false, "one_to_one", {70.71, 71.33, 8.21, 2.10}, {87.72, 77.50, 5.93, 1.98}),
                losses(9, "l2", false, "random", {69.83, 70.88, 8.11, 2.00}, {87.78, 77.47, 6.32, 1.98}),
                losses(10, "l1", true, "none", {66.52, 69.00, 7.93, 2.07}, {85.55, 74.32, 7.01, 2.11}),
                losses(11, "l1", true, "affinity", {87.93, 78.63, 2.33, 1.39}, {90.12, 80.96, 3.68, 1.19}),
                losses(12, "l1", true, "one_to_one", {87.78, 75.53, 3.53, 1.66}, {86.59, 74.44, 7.43, 2.31}),
                losses(13, "l1", true, "random", {79.35, 71.33, 7.01, 1.99}, {85.58, 75.00, 6.66, 2.13}),
                losses(14, "l1", false, "none", {66.52, 69.10, 7.53, 2.01}, {85.75, 74.42, 6.83, 1.89}),
                losses(15, "l1", false, "affinity", {83.10, 73.11, 5.56, 1.66}, {85.72, 74.58, 5.38, 1.66}),
                losses(16, "l1", false, "one_to_one", {82.33, 70.31, 6.87, 1.77}, {85.22, 74.46, 6.82, 1.89}),
                losses(17, "l1", false, "random", {82.33, 70.52, 7.05, 1.86}, {85.40, 74.23, 6.50, 1.84})};
  return table;
}

PaperTable ablation_of_patches() {
  PaperTable table = cardiac("V", "what ranks the patches, on ACDC");
  table.rows = {score("cosine", {74.32, 66.13, 10.86, 3.87}, {81.07, 70.35, 9.23, 6.77}),
                score("confidence", {78.85, 69.20, 10.02, 3.04}, {85.51, 74.74, 5.09, 3.11}),
                score("entropy", {88.92, 78.84, 1.90, 0.66}, {89.98, 80.96, 3.66, 0.86})};
  return table;
}

PaperTable costs() {
  PaperTable table = left_atrium();
  table.number = "VI", table.title = "what a run costs, on LA", table.labelled = {"4"};
  const std::map<std::string, Cost> printed = {
      {"ua-mt", {9.44, 67.5}},  {"sassnet", {20.46, 73.6}}, {"dtc", {9.44, 47.1}},    {"mc-net-plus", {15.25, 88.9}},
      {"ss-net", {9.44, 70.8}}, {"action", {10.14, 471.9}}, {"arco", {10.14, 421.1}}, {"semi-agcl", {9.44, 48.6}}};
  for (PaperRow& row : table.rows)
    if (const auto found = printed.find(row.id); found != printed.end()) row.cost = found->second;
  PaperRow confidence = score("confidence", {}, {});
  confidence.id = "semi-agcl-confidence", confidence.name = "semi-agcl, patches by confidence", confidence.printed = {};
  confidence.cost = Cost{9.44, 46.8};
  table.rows.push_back(std::move(confidence));
  table.supervised.cost = Cost{9.44, 36.5}, table.all_labels_cost = Cost{9.44, 37.8};
  return table;
}

PaperTable hippocampus() {
  return {.number = "hippocampus",
          .title = "methods, on Task 04 of the Medical Segmentation Decathlon; no table of the paper",
          .cpu = "hippocampus-long",
          .full = "hippocampus-long",
          .labelled = {"3", "8"},
          .rows = method_rows({})};
}

PaperTable label_curve() {
  PaperTable table{
      .number = "labels", .title = "what more labels bring", .cpu = "", .full = "", .labelled = {"2", "4", "8"}, .rows = {}};
  table.rows.push_back({.id = "method", .name = "the settings' own method", .arguments = {}, .as_set = true});
  return table;
}

}  // namespace

const std::vector<PaperTable>& paper_tables() {
  static const std::vector<PaperTable> tables = {left_atrium(),        methods_on_cardiac(),  glands(),
                                                 ablation_of_losses(), ablation_of_patches(), costs(),
                                                 hippocampus(),        label_curve()};
  return tables;
}

const PaperTable& paper_table(const std::string& number) {
  for (const PaperTable& table : paper_tables())
    if (table.number == number) return table;
  engine::fail<engine::UsageError>(
      "no table '{}': choose I, II, III (methods), IV (losses), V (patches), VI (cost), hippocampus or labels", number);
}

const Figures* printed(const PaperTable& table, const PaperRow& row, const std::string& labelled) {
  const auto& amounts = table.labelled;
  const std::string key = labelled == "all"                                                     ? "100"
                          : labelled == "0.05" || labelled == amounts[0]                        ? "5"
                          : labelled == "0.1" || (amounts.size() > 1 && labelled == amounts[1]) ? "10"
                                                                                                : "";
  const auto found = row.printed.find(key);
  return found == row.printed.end() ? nullptr : &found->second;
}

bool jaccard_fits_dice(double dice, double jaccard) {
  constexpr double rounding = 0.01;
  const double d = (dice - rounding / 2) / 100;
  return jaccard <= dice + rounding && jaccard >= 100 * d / (2 - d) - rounding;
}

}  // namespace sagcl::tools
