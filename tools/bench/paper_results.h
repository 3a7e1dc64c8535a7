#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/paper_plan.h"
#include "tools/run/run_folder.h"

/// What the runs of a table gave, and how the rows compare.
namespace sagcl::tools {

/// A finished run.
struct SeedResult {
  std::string seed;
  Figures figures = {};
  double minutes = 0;       ///< of training
  double milliseconds = 0;  ///< of a step behind the warm-up: the median
  double peak_mib = 0;
  double million_parameters = 0;  ///< trained: of the network, and of what the method trains beside it
};

/// One row at one amount of labels.
struct RowResult {
  PlannedRow planned;
  std::string labelled;
  std::vector<SeedResult> seeds = {};  ///< those that are finished
  std::int64_t not_finite = 0;         ///< seeds that ended at a NaN
};

/// Nothing for a run without figures. NaN where its folder does not say a number.
std::optional<SeedResult> seed_result(const RunRecord& run, const std::string& seed);

std::vector<double> column(const RowResult& row, double Figures::*field);
std::vector<double> column(const RowResult& row, double SeedResult::*field);
double mean(const std::vector<double>& values);       ///< NaN for none
double deviation(const std::vector<double>& values);  ///< of the sample (n − 1); NaN for fewer than two

/// Dice of `row` minus Dice of supervised training with copy-paste at the same labels, seed by seed, in points; of the seeds
/// that both have.
std::vector<double> paired_differences(const RowResult& row, const std::vector<RowResult>& all);

/// The share of the label gap that a method's row recovers (evaluate/label_gap.h), of means over the seeds that all rows in
/// it have. Supervised training is the better of plain and pasted by that mean, as far as they are there. NaN for rows that
/// are no method's, and where there is no gap or a row of it is missing.
double gap_share(const RowResult& row, const std::vector<RowResult>& all);

}  // namespace sagcl::tools
