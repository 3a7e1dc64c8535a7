#include "tools/bench/paper_tables.h"

#include "engine/error.h"

namespace sagcl::tools {
namespace {

PaperRow method(const char* name, Figures at_5, Figures at_10) { return {name, name, {"--method", name}, at_5, at_10}; }

/// Row n of Table IV. Without a kernel there is no L_PL, so no nuclear norm either.
PaperRow losses(int n, const std::string& kernel, bool nuclear, const std::string& mixing, Figures at_5, Figures at_10) {
  const std::string pl = kernel == "none" ? "no L_PL" : kernel + (nuclear ? ", nuclear norm" : ", trace only");
  const std::string rw = mixing == "none"         ? "no L_RW"
                         : mixing == "affinity"   ? "A_ii"
                         : mixing == "one_to_one" ? "1:1"
                                                  : mixing;
  PaperRow row{fmt::format("row{:02}", n), pl + ", " + rw, {}, at_5, at_10};
  row.arguments = {"--set", "method.kernel=" + kernel, "--set", "method.mixing=" + mixing};
  if (kernel != "none" && !nuclear) row.arguments.insert(row.arguments.end(), {"--set", "method.c_nuc=0"});
  return row;
}

PaperRow score(const char* name, Figures at_5, Figures at_10) {
  return {name, std::string("patches by ") + name, {"--set", std::string("method.score=") + name}, at_5, at_10};
}

}  // namespace

const std::vector<PaperTable>& paper_tables() {
  static const std::vector<PaperTable> tables = {
      {"I",
       "methods, on LA",
       {method("supervised", {52.55, 39.60, 47.05, 9.87}, {82.74, 71.70, 13.33, 3.26}),
        method("ua-mt", {82.26, 70.98, 13.71, 3.82}, {87.79, 78.39, 8.68, 2.12}),
        method("semi-agcl", {90.44, 79.05, 7.78, 2.11}, {90.33, 82.53, 6.68, 1.78})}},
      {"II",
       "methods, on ACDC",
       {method("supervised", {47.82, 37.01, 31.16, 12.66}, {78.22, 68.05, 9.33, 2.70}),
        method("ua-mt", {46.04, 35.97, 20.08, 7.75}, {81.66, 70.56, 6.88, 2.00}),
        method("semi-agcl", {88.92, 78.84, 1.90, 0.66}, {91.98, 82.96, 3.36, 1.16})}},
      {"III",
       "methods, on CRAG",
       {method("supervised", {40.77, 33.57, 30.11, 11.66}, {75.42, 70.05, 8.22, 2.82}),
        method("ua-mt", {47.75, 38.81, 18.44, 6.36}, {81.46, 71.42, 1.48, 2.23}),
        method("semi-agcl", {84.42, 70.49, 1.48, 2.88}, {91.93, 83.37, 1.08, 1.76})}},
      {"IV",
       "kernel, nuclear norm and weights of hard negatives, on ACDC",
       {losses(1, "none", false, "none", {68.82, 68.77, 8.67, 2.40}, {86.78, 77.63, 6.68, 2.00}),
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
        losses(17, "l1", false, "random", {82.33, 70.52, 7.05, 1.86}, {85.40, 74.23, 6.50, 1.84})}},
      {"V",
       "what ranks the patches, on ACDC",
       {score("cosine", {74.32, 66.13, 10.86, 3.87}, {81.07, 70.35, 9.23, 6.77}),
        score("confidence", {78.85, 69.20, 10.02, 3.04}, {85.51, 74.74, 5.09, 3.11}),
        score("entropy", {88.92, 78.84, 1.90, 0.66}, {89.98, 80.96, 3.66, 0.86})}},
  };
  return tables;
}

const PaperTable& paper_table(const std::string& number) {
  for (const PaperTable& table : paper_tables())
    if (table.number == number) return table;
  engine::fail<engine::UsageError>("no table '{}': choose I, II, III (methods), IV (losses) or V (patches)", number);
}

bool jaccard_fits_dice(double dice, double jaccard) {
  constexpr double rounding = 0.01;
  const double d = (dice - rounding / 2) / 100;
  return jaccard <= dice + rounding && jaccard >= 100 * d / (2 - d) - rounding;
}

}  // namespace sagcl::tools
