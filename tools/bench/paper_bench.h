#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "tools/bench/paper_tables.h"

/// sagcl-bench paper: runs rows of a table of the paper on a data set, row by row, and writes the table beside the printed
/// one.
namespace sagcl::tools {

struct PaperBench {
  std::string table;              ///< "IV"
  std::vector<std::string> rows;  ///< ids; empty: all
  std::vector<std::string> labelled = {"0.05"};
  std::vector<std::string> seeds = {"0"};
  std::filesystem::path out;           ///< runs are out/<row>/labelled-<labelled>-seed-<seed>
  std::vector<std::string> arguments;  ///< of sagcl-train, common to all runs
  std::filesystem::path train;         ///< the program sagcl-train
  bool list = false;                   ///< print the command of every run instead of running it
};

/// Starts what is not finished yet; a run that was interrupted is resumed. After every run table-<number>.md, .csv and .svg
/// in `out` are written again with what there is. Returns the exit code: that of sagcl-train if a run was stopped by a
/// signal. A run that ended at a NaN is a row of its own kind ("not finite") and does not stop the others; any other failure
/// does.
int run_paper_table(const PaperBench& bench);

/// What is known of the runs of one row at one label share: figures in per cent and the evaluation's unit.
struct RowResult {
  const PaperRow* row;
  std::string labelled;
  std::vector<Figures> figures;           ///< one per finished seed
  std::vector<double> minutes, peak_mib;  ///< of training
  std::int64_t not_finite = 0;            ///< seeds that ended at a NaN
};

std::string to_markdown(const PaperTable& table, const std::vector<RowResult>& results, const std::string& unit);
std::string to_csv(const PaperTable& table, const std::vector<RowResult>& results, const std::string& unit);
std::string to_svg(const PaperTable& table, const std::vector<RowResult>& results);

}  // namespace sagcl::tools
