#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "tools/bench/paper_tables.h"

/// Which runs a table of the paper consists of.
namespace sagcl::tools {

/// How the first, supervised part of a method's run sees its labelled images.
enum class WarmUp {
  plain,   ///< as they are
  pasted,  ///< pairs swap boxes in the warm-up alone: augment.copy_paste=warm_up
  always,  ///< and in the method's own phase, too: augment.copy_paste=always
};

struct PaperBench {
  std::string table;         ///< "IV"
  std::string size = "cpu";  ///< cpu or full: which of the table's presets, unless `preset` says one
  std::string preset;
  std::string config;                 ///< a file of settings, instead of a preset
  std::vector<std::string> rows;      ///< ids; empty: all
  std::vector<std::string> labelled;  ///< empty: the table's
  std::vector<std::string> seeds = {"0", "1", "2"};
  std::vector<WarmUp> warm_ups = {WarmUp::pasted};
  std::vector<std::string> set;              ///< settings of all runs, key=value
  std::vector<std::string> arguments;        ///< of sagcl-train, common to all runs: data, device, threads
  std::filesystem::path out;                 ///< folder of runs and tables
  std::filesystem::path train;               ///< the program sagcl-train
  std::vector<std::filesystem::path> known;  ///< runs.jsonl of elsewhere: its runs are not run again (run_records.h)
  std::size_t jobs = 1;                      ///< runs side by side
  bool list = false;                         ///< print the command of every run instead of running it
};

/// What a row of the result is compared as.
enum class Role { method, supervised, supervised_pasted, all_labels };

struct PlannedRow {
  PaperRow row;
  Role role = Role::method;
};

struct PlannedRun {
  std::size_t row = 0;   ///< of PaperPlan::rows
  std::string labelled;  ///< "all" of the row that has all labels
  std::string seed;
  std::filesystem::path folder;
  std::vector<std::string> command;
};

struct PaperPlan {
  std::string preset;
  std::vector<std::string> labelled;
  std::vector<PlannedRow> rows;        ///< supervised training, plain and pasted, and with all labels; then the methods'
  std::vector<std::string> not_built;  ///< ids of the paper's rows whose method there is not
  std::vector<PlannedRun> runs;        ///< seed by seed, so that whole comparisons come early
};

/// Supervised training stands beside whatever rows are asked for. Runs are out/<row>/labelled-<labelled>-seed-<seed>, with
/// all labels out/all-labels/seed-<seed>; rows that several tables share are run once. Whom the labels are of is a block of
/// patients, another for every seed (datasets::SplitRule). UsageError for unknown rows and sizes.
PaperPlan plan_of(const PaperBench& bench);

}  // namespace sagcl::tools
