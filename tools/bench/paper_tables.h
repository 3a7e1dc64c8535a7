#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

/// The tables of the Semi-AGCL paper as sagcl-bench runs them: each row is a set of arguments for sagcl-train, with what was
/// printed for it.
namespace sagcl::tools {

/// Dice and Jaccard in per cent, HD95 and ASD in the table's unit.
struct Figures {
  double dice = 0, jaccard = 0, hd95 = 0, asd = 0;
};

/// Where a printed figure is from.
enum class Source {
  paper,           ///< the paper, and nothing is known against it
  picked_on_test,  ///< the paper; the code it is from keeps the checkpoint that is best on the test cases
  own,             ///< not the paper, but the method's own authors
  own_picked,      ///< the same, and their checkpoint is picked on the test cases
};

/// What one run costs, as Table VI prints it.
struct Cost {
  double million_parameters = 0, minutes = 0;
};

struct PaperRow {
  std::string id;                               ///< folder name: "ua-mt", "row03"
  std::string name;                             ///< "L2, nuclear norm, A_ii"
  std::vector<std::string> arguments;           ///< of sagcl-train
  bool built = true;                            ///< the registry has its method
  bool pastes = false;                          ///< its own pre-training pastes labelled images into each other
  bool as_set = false;                          ///< pasting is as the settings say, whatever the warm-up asked for
  std::map<std::string, Figures> printed = {};  ///< by label amount: "5", "10", "100" per cent
  Source source = Source::paper;
  std::optional<Cost> cost = {};
};

struct PaperTable {
  std::string number;                 ///< "IV"; "hippocampus" and "labels", which are none of the paper's
  std::string title;                  ///< "methods, on ACDC"
  std::string cpu, full;              ///< presets: the size for a CPU core, and the paper's
  std::vector<std::string> labelled;  ///< the smaller amount and the larger one: "3", "7" patients
  std::vector<PaperRow> rows;
  PaperRow supervised = {};  ///< what was printed for supervised training; with all labels, too
  std::optional<Cost> all_labels_cost = {};
};

/// Tables I to VI, "hippocampus", and "labels" (label_curve.h), whose settings are not given here. I to III, VI and
/// hippocampus hold the methods of --list-methods, and those that the paper names and the registry lacks.
const std::vector<PaperTable>& paper_tables();

/// UsageError listing the numbers for an unknown one.
const PaperTable& paper_table(const std::string& number);

/// What was printed for a row at this amount of labels ("3", "0.05", "all"); null if nothing was.
const Figures* printed(const PaperTable& table, const PaperRow& row, const std::string& labelled);

/// D/(2 − D) <= J <= D holds for every mean over the same cases (Jaccard is convex in Dice and at most Dice). Per cent, with
/// the 0.01 that rounding can cost.
bool jaccard_fits_dice(double dice, double jaccard);

}  // namespace sagcl::tools
