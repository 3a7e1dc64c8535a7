#pragma once
#include <string>
#include <vector>

#include "tools/bench/paper_results.h"

/// What more labels bring: Dice over the number of labelled patients, of supervised training and of a method.
namespace sagcl::tools {

/// A number of labelled patients from --labelled; UsageError for what is no whole number.
double labelled_patients(const std::string& labelled);

/// Between two amounts of labels that follow each other, over the seeds that both have: seeds label other patients.
struct LabelGain {
  double from = 0, to = 0;         ///< labelled patients
  std::vector<double> per_double;  ///< points of Dice for twice as many labels, seed by seed
};

/// Of the rows of one id, from the fewest labels to the most.
std::vector<LabelGain> label_gains(const std::string& row, const std::vector<RowResult>& results);

/// Sentences for every row: what the last doubling brought, and from it what ten more labels bring at most, since a doubling
/// seldom brings more than the one before; and how far all labels are.
std::string curve_text(const std::vector<RowResult>& results);

/// The means over the seeds, over the number of labelled patients, as SVG.
std::string curve_svg(const std::vector<RowResult>& results);

}  // namespace sagcl::tools
