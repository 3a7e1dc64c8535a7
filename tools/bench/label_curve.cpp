#include "tools/bench/label_curve.h"

#include <algorithm>
#include <cmath>

#include "datasets/text.h"
#include "engine/error.h"
#include "tools/programs/text_table.h"
#include "tools/report/chart.h"

namespace sagcl::tools {

double labelled_patients(const std::string& labelled) {
  const auto count = datasets::number_in<std::int64_t>(labelled);
  engine::require<engine::UsageError>(count && *count >= 1,
                                      "--labelled {}: a curve is over numbers of labelled patients, as 2,4,8", labelled);
  return double(*count);
}

namespace {

/// The rows of a curve, by the number of labels; those that no run is finished of are left out.
std::vector<const RowResult*> points_of(const std::string& row, const std::vector<RowResult>& results) {
  std::vector<const RowResult*> points;
  for (const RowResult& r : results)
    if (r.planned.row.id == row && r.planned.role != Role::all_labels && !r.seeds.empty()) points.push_back(&r);
  std::ranges::stable_sort(points, {}, [](const RowResult* r) { return labelled_patients(r->labelled); });
  return points;
}

std::vector<std::string> curves(const std::vector<RowResult>& results) {
  std::vector<std::string> ids;
  for (const RowResult& r : results)
    if (r.planned.role != Role::all_labels && std::ranges::count(ids, r.planned.row.id) == 0)
      ids.push_back(r.planned.row.id);
  return ids;
}

const RowResult* all_labels(const std::vector<RowResult>& results) {
  for (const RowResult& r : results)
    if (r.planned.role == Role::all_labels && !r.seeds.empty()) return &r;
  return nullptr;
}

}  // namespace

std::vector<LabelGain> label_gains(const std::string& row, const std::vector<RowResult>& results) {
  const std::vector<const RowResult*> points = points_of(row, results);
  std::vector<LabelGain> gains;
  for (std::size_t i = 1; i < points.size(); ++i) {
    LabelGain gain{labelled_patients(points[i - 1]->labelled), labelled_patients(points[i]->labelled), {}};
    for (const SeedResult& fewer : points[i - 1]->seeds)
      for (const SeedResult& more : points[i]->seeds)
        if (fewer.seed == more.seed)
          gain.per_double.push_back((more.figures.dice - fewer.figures.dice) / std::log2(gain.to / gain.from));
    if (!gain.per_double.empty()) gains.push_back(gain);
  }
  return gains;
}

std::string curve_text(const std::vector<RowResult>& results) {
  std::string text;
  for (const std::string& row : curves(results)) {
    const std::vector<LabelGain> gains = label_gains(row, results);
    if (gains.empty()) continue;
    const LabelGain& last = gains.back();
    const double brought = mean(last.per_double), ten = brought * std::log2((last.to + 10) / last.to);
    const std::vector<const RowResult*> points = points_of(row, results);
    text += fmt::format("{}: from {} to {} labelled patients Dice changes by {} points for each doubling", row, last.from,
                        last.to, number(brought, 1));
    if (last.per_double.size() > 1) text += fmt::format(" (± {} over seeds)", number(deviation(last.per_double), 1));
    text += ten > 0 ? fmt::format("; ten more labels bring {} points at most, if no doubling brings more than this one",
                                  number(ten, 1))
                    : std::string("; so more labels promise nothing by this curve");
    if (const RowResult* all = all_labels(results))
      text += fmt::format("; all labels are at {}, {} is at {}", number(mean(column(*all, &Figures::dice)), 1), last.to,
                          number(mean(column(*points.back(), &Figures::dice)), 1));
    text += ".\n";
  }
  return text;
}

std::string curve_svg(const std::vector<RowResult>& results) {
  Chart chart;
  chart.title = "What more labels bring: Dice, per cent", chart.x_label = "labelled patients";
  chart.width = 720, chart.height = 320;
  std::size_t colour = 0;
  for (const std::string& row : curves(results)) {
    Series line;
    line.name = row, line.colour = palette()[colour % palette().size()];
    for (const RowResult* r : points_of(row, results))
      line.points.push_back({labelled_patients(r->labelled), mean(column(*r, &Figures::dice))});
    if (!line.points.empty()) chart.series.push_back(line);
    ++colour;
  }
  if (const RowResult* all = all_labels(results); all && !chart.series.empty()) {
    const double level = mean(column(*all, &Figures::dice));
    const Points& reach = chart.series.front().points;
    Series all_line;
    all_line.name = "all labels", all_line.colour = palette()[5];
    all_line.points = {{reach.front().first, level}, {reach.back().first, level}};
    chart.series.push_back(all_line);
  }
  std::string svg = line_chart(chart);
  return svg.insert(5, "xmlns=\"http://www.w3.org/2000/svg\" style=\"font:13px sans-serif;background:#fff\" ");
}

}  // namespace sagcl::tools
