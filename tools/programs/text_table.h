#pragma once
#include <string>
#include <vector>

namespace sagcl::tools {

/// A table in plain text: the first column to the left, numbers to the right, columns as wide as they need to be.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : header_(std::move(header)) {}
  void row(std::vector<std::string> cells);  ///< as many cells as the header has; UsageError otherwise
  void rule() { rows_.emplace_back(); }      ///< a line across
  std::string text() const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;  // an empty one is a rule
};

/// A value with so many decimals; "-" for NaN.
std::string number(double value, int decimals = 2);

}  // namespace sagcl::tools
