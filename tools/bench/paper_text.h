#pragma once
#include <string>
#include <vector>

#include "tools/bench/paper_results.h"

/// A table with its results as text and as a picture. Table VI is about cost, the others about figures on the test cases.
namespace sagcl::tools {

/// What stands above the rows.
struct TableHead {
  const PaperTable& table;
  std::string preset;
  std::string unit = "voxel";               ///< of distances
  std::vector<std::string> not_built = {};  ///< rows without a method
};

std::string to_markdown(const TableHead& head, const std::vector<RowResult>& results);
std::string to_csv(const TableHead& head, const std::vector<RowResult>& results);
/// Bars of the means, and a point for every seed.
std::string to_svg(const TableHead& head, const std::vector<RowResult>& results);

/// The parts of Table VI.
std::string cost_rows(const std::vector<RowResult>& results);

}  // namespace sagcl::tools
