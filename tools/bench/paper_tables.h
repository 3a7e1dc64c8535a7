#pragma once
#include <string>
#include <vector>

/// The tables of the Semi-AGCL paper as sagcl-bench runs them: each row is a set of arguments for sagcl-train, with what the
/// paper printed.
namespace sagcl::tools {

/// Dice and Jaccard in per cent, HD95 and ASD in the table's unit.
struct Figures {
  double dice = 0, jaccard = 0, hd95 = 0, asd = 0;
};

struct PaperRow {
  std::string id;                      ///< folder name: "ua-mt", "row03"
  std::string name;                    ///< "L2, nuclear norm, A_ii"
  std::vector<std::string> arguments;  ///< of sagcl-train
  Figures at_5, at_10;                 ///< printed, at 5 and 10 per cent of the labels
};

struct PaperTable {
  std::string number;  ///< "IV"
  std::string title;   ///< "ablation of losses, on ACDC"
  std::vector<PaperRow> rows;
};

/// Tables I to V. I to III hold the methods of --list-methods.
const std::vector<PaperTable>& paper_tables();

/// UsageError listing the numbers for an unknown one.
const PaperTable& paper_table(const std::string& number);

/// D/(2 − D) <= J <= D holds for every mean over the same cases (Jaccard is convex in Dice and at most Dice). Per cent, with
/// the 0.01 that rounding can cost.
bool jaccard_fits_dice(double dice, double jaccard);

}  // namespace sagcl::tools
