#include "tools/run/metrics_csv.h"

#include <cmath>
#include <map>

namespace sagcl::tools {
namespace {

class Rows {
 public:
  void put(std::int64_t step, const std::string& column, double value) {
    const auto [place, is_new] = places_.emplace(column, columns_.size());
    if (is_new) columns_.push_back(column);
    std::vector<double>& row = rows_[step];
    if (row.size() <= place->second) row.resize(place->second + 1, NAN);
    row[place->second] = value;
  }

  std::string text() const {
    std::string out = "step";
    for (const std::string& column : columns_) out += "," + column;
    for (const auto& [step, row] : rows_) {
      out += fmt::format("\r\n{}", step);
      for (std::size_t i = 0; i < columns_.size(); ++i)
        out += i < row.size() && std::isfinite(row[i]) ? fmt::format(",{}", row[i]) : ",";
    }
    return out + "\r\n";
  }

 private:
  std::map<std::string, std::size_t> places_;
  std::vector<std::string> columns_;
  std::map<std::int64_t, std::vector<double>> rows_;
};

}  // namespace

std::string metrics_csv(const RunRecord& run) {
  Rows rows;
  auto measured = run.validation.begin();
  const auto put_measured = [&](auto&& in_turn) {
    for (; measured != run.validation.end() && in_turn(*measured); ++measured) {
      const std::string column = fmt::format("dice.{}.{}", measured->cases, measured->network);
      rows.put(measured->step, column, measured->dice);
      for (std::size_t k = 0; measured->per_class.size() > 1 && k < measured->per_class.size(); ++k)
        rows.put(measured->step, fmt::format("{}.{}", column, k + 1), measured->per_class[k]);
    }
  };
  for (const TrainPoint& p : run.train) {
    put_measured([&](const ValidationPoint& v) { return v.step < p.step; });
    rows.put(p.step, "loss", p.loss);
    for (const auto& [name, value] : p.terms) rows.put(p.step, "loss." + name, value);
    for (const auto& [name, value] : p.other) rows.put(p.step, name, value);
    rows.put(p.step, "seconds", p.seconds);
  }
  put_measured([](const ValidationPoint&) { return true; });
  return rows.text();
}

}  // namespace sagcl::tools
