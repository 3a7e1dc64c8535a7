#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tools/bench/paper_results.h"

/// Runs of a table as lines of a file, runs.jsonl in its folder: so that another machine's or another day's count, too
/// (sagcl-bench paper --known).
namespace sagcl::tools {

struct RunOutcome {
  semiagcl::RunSettings settings = {};
  bool not_finite = false;                 ///< it ended at a NaN
  std::optional<SeedResult> figures = {};  ///< nothing without test cases, or if not finite
  std::string unit = "mm";                 ///< of the distances
};

/// Of a run that is over.
RunOutcome outcome(const std::filesystem::path& run, const std::string& seed);

/// By the name of the run: its folder within the table's, "ua-mt-pasted/labelled-3-seed-0".
using RunOutcomes = std::map<std::string, RunOutcome>;

/// One line of JSON per run, with all settings; figures are exact.
std::string to_lines(const RunOutcomes& runs);

/// DataError naming file and line for what to_lines does not write.
RunOutcomes read_outcomes(const std::vector<std::filesystem::path>& files);

}  // namespace sagcl::tools
