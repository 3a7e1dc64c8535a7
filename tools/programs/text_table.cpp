#include "tools/programs/text_table.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace sagcl::tools {

namespace {

/// Visible characters: continuation bytes of UTF-8 take no column.
std::size_t width(const std::string& s) {
  return std::size_t(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void TextTable::row(std::vector<std::string> cells) {
  engine::require<engine::UsageError>(cells.size() == header_.size(), "a table row has {} cells, its header {}",
                                      cells.size(), header_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  for (const auto& h : header_) widths.push_back(width(h));
  for (const auto& r : rows_)
    for (std::size_t c = 0; c < r.size(); ++c) widths[c] = std::max(widths[c], width(r[c]));
  std::size_t total = 0;
  for (std::size_t w : widths) total += w + 2;
  const std::string line = std::string(total - 2, '-') + "\n";

  const auto print = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const std::string blanks(widths[c] - width(cells[c]), ' ');
      out += c == 0 ? cells[c] + blanks : "  " + blanks + cells[c];
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out + "\n";
  };
  std::string out = print(header_) + line;
  for (const auto& r : rows_) out += r.empty() ? line : print(r);
  return out;
}

std::string number(double value, int decimals) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : "-";
}

}  // namespace sagcl::tools
