#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "engine/error.h"
#include "tools/bench/paper_bench.h"
#include "tools/programs/text_table.h"
#include "tools/report/chart.h"

// A table of the paper as Markdown, CSV and a picture.
namespace sagcl::tools {
namespace {

double mean(const std::vector<double>& v) {
  return v.empty() ? std::numeric_limits<double>::quiet_NaN() : std::accumulate(v.begin(), v.end(), 0.0) / double(v.size());
}

/// Of the sample (n − 1); NaN for fewer than two.
double deviation(const std::vector<double>& v) {
  if (v.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (double x : v) sum += (x - mean(v)) * (x - mean(v));
  return std::sqrt(sum / double(v.size() - 1));
}

std::vector<double> column(const RowResult& r, double Figures::*field) {
  std::vector<double> v;
  for (const Figures& f : r.figures) v.push_back(f.*field);
  return v;
}

std::string mean_and_spread(const std::vector<double>& v, int decimals) {
  return v.size() < 2 ? number(mean(v), decimals) : number(mean(v), decimals) + " ± " + number(deviation(v), decimals);
}

/// What the paper printed at this share of the labels; null if it did not.
const Figures* printed(const RowResult& r) {
  const double share = std::strtod(r.labelled.c_str(), nullptr);
  return share == 0.05 ? &r.row->at_5 : share == 0.1 ? &r.row->at_10 : nullptr;
}

std::string printed_cells(const RowResult& r) {
  const Figures* f = printed(r);
  if (!f) return "| - | - | - | - |";
  return fmt::format("| {:.2f} | {:.2f}{} | {:.2f} | {:.2f} |", f->dice, f->jaccard,
                     jaccard_fits_dice(f->dice, f->jaccard) ? "" : " (!)", f->hd95, f->asd);
}

}  // namespace

std::string to_markdown(const PaperTable& table, const std::vector<RowResult>& results, const std::string& unit) {
  std::string text = fmt::format(
      "# Table {}: {}\n\nMean ± standard deviation over seeds; Dice and Jaccard in per cent, distances in {}s; last "
      "iteration, mean over\n"
      "foreground classes and test cases. `paper` is what was printed there, for its own data. (!): this Jaccard is "
      "impossible\n"
      "beside this Dice, D/(2-D) <= J <= D.\n\n"
      "| row | labels | seeds | Dice | Jaccard | HD95 | ASD | minutes | MiB | paper: Dice | Jaccard | HD95 | ASD |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      table.number, table.title, unit);
  for (const RowResult& r : results) {
    const std::vector<double> dice = column(r, &Figures::dice), jaccard = column(r, &Figures::jaccard);
    const std::string impossible = !dice.empty() && !jaccard_fits_dice(mean(dice), mean(jaccard)) ? " (!)" : "";
    const std::string seeds =
        std::to_string(dice.size()) + (r.not_finite ? fmt::format(", {} not finite", r.not_finite) : "");
    text += fmt::format("| {} | {} | {} | {} | {}{} | {} | {} | {} | {} {}\n", r.row->name, r.labelled, seeds,
                        mean_and_spread(dice, 1), mean_and_spread(jaccard, 1), impossible,
                        mean_and_spread(column(r, &Figures::hd95), 2), mean_and_spread(column(r, &Figures::asd), 2),
                        number(mean(r.minutes), 1), number(mean(r.peak_mib), 0), printed_cells(r));
  }
  return text;
}

std::string to_csv(const PaperTable& table, const std::vector<RowResult>& results, const std::string& unit) {
  std::string text = "table,row,name,labelled,seeds,not_finite,dice,dice_sd,jaccard,jaccard_sd,hd95_" + unit + ",asd_" +
                     unit + ",minutes,peak_mib,paper_dice,paper_jaccard,paper_hd95,paper_asd\n";
  for (const RowResult& r : results) {
    const std::vector<double> dice = column(r, &Figures::dice), jaccard = column(r, &Figures::jaccard);
    text += fmt::format("{},{},\"{}\",{},{},{},{},{},{},{},{},{},{},{}", table.number, r.row->id, r.row->name, r.labelled,
                        dice.size(), r.not_finite, number(mean(dice), 3), number(deviation(dice), 3),
                        number(mean(jaccard), 3), number(deviation(jaccard), 3), number(mean(column(r, &Figures::hd95)), 3),
                        number(mean(column(r, &Figures::asd)), 3), number(mean(r.minutes), 2), number(mean(r.peak_mib), 0));
    const Figures* f = printed(r);
    text += f ? fmt::format(",{},{},{},{}\n", f->dice, f->jaccard, f->hd95, f->asd) : ",-,-,-,-\n";
  }
  return text;
}

std::string to_svg(const PaperTable& table, const std::vector<RowResult>& results) {
  std::vector<Bar> bars;
  for (const RowResult& r : results) {
    const std::vector<double> dice = column(r, &Figures::dice);
    if (dice.empty()) continue;
    bars.push_back({r.row->name + " (" + r.labelled + ")", mean(dice), mean_and_spread(dice, 1), palette()[0]});
  }
  std::string svg = bar_chart("Table " + table.number + ": mean foreground Dice, per cent", bars, 100);
  return svg.insert(5, "xmlns=\"http://www.w3.org/2000/svg\" style=\"font:13px sans-serif;background:#fff\" ");
}

}  // namespace sagcl::tools
