#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/inspect/tape_view.h"
#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/programs/text_table.h"
#include "tools/report/chart.h"

namespace sagcl::tools {
namespace {

struct Peak {
  MemoryPoint at;
  std::size_t end_of_forward = 0;
};

Peak peak_of(const TapeWatch& watch) {
  Peak peak;
  for (const MemoryPoint& point : watch.memory()) {
    if (!point.backward) peak.end_of_forward = point.in_use;
    if (point.in_use > peak.at.in_use) peak.at = point;
  }
  return peak;
}

std::string place(const TapeWatch& watch, const MemoryPoint& point) {
  const TapeEntry& e = watch.entries()[point.entry];
  return fmt::format("{}{}{}", point.backward ? "the backward of " : "", e.module.empty() ? "" : e.module + " ", e.op);
}

double mib(std::size_t bytes) { return double(bytes) / (1 << 20); }

/// The modules that keep most first.
std::vector<TapeEntry> by_kept(const TapeWatch& watch, std::size_t depth) {
  std::vector<TapeEntry> all = joined(watch.entries(), depth);
  std::stable_sort(all.begin(), all.end(), [](const TapeEntry& a, const TapeEntry& b) { return a.kept > b.kept; });
  return all;
}

}  // namespace

std::string memory_text(const TapeWatch& watch, std::size_t depth) {
  const Peak peak = peak_of(watch);
  std::string text = fmt::format(
      "before the step        {:>10}   weights, optimiser, teacher, batches\nat the end of forward  {:>10}\n"
      "highest                {:>10}   behind {}\n\nGrowth of memory in use while a module ran: its results and what it "
      "keeps "
      "for the backward pass\n",
      size_text(watch.before()), size_text(peak.end_of_forward), size_text(peak.at.in_use), place(watch, peak.at));
  TextTable table({"module", "kept", "share"});
  const double all = double(peak.end_of_forward) - double(watch.before());
  for (const TapeEntry& e : by_kept(watch, depth))
    table.row({e.module.empty() ? e.op : e.module, fmt::format("{:.2f} MiB", double(e.kept) / (1 << 20)),
               number(100 * double(e.kept) / all, 1) + " %"});
  return text + table.text();
}

std::string memory_json(const TapeWatch& watch, std::size_t depth) {
  const Peak peak = peak_of(watch);
  nlohmann::ordered_json json = {{"schema_version", 1},
                                 {"before", watch.before()},
                                 {"end_of_forward", peak.end_of_forward},
                                 {"peak", peak.at.in_use},
                                 {"peak_behind", place(watch, peak.at)}};
  for (const TapeEntry& e : by_kept(watch, depth))
    json["modules"].push_back({{"module", e.module}, {"op", e.op}, {"kept", e.kept}});
  for (const MemoryPoint& point : watch.memory())
    json["timeline"].push_back({{"operation", point.entry}, {"backward", point.backward}, {"in_use", point.in_use}});
  return json_text(json, 1) + "\n";
}

std::string memory_svg(const TapeWatch& watch) {
  Chart chart{.title = "Memory in use behind every operation",
              .x_label = "operations of the step",
              .y_label = "MiB",
              .series = {},
              .marks = {}};
  chart.from_zero = true, chart.width = 860, chart.height = 320;
  Series forward{.name = "forward", .colour = palette()[0], .points = {}},
      backward{.name = "backward", .colour = palette()[1], .points = {}};
  double x = 0;
  for (const MemoryPoint& point : watch.memory())
    (point.backward ? backward : forward).points.push_back({x++, mib(point.in_use)});
  chart.series = {forward, backward};
  std::string svg = line_chart(chart);
  svg.insert(4, " xmlns=\"http://www.w3.org/2000/svg\" style=\"background:#fff\"");
  return svg;
}

}  // namespace sagcl::tools
