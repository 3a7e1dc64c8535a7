#include "tools/bench/paper_text.h"

#include <algorithm>
#include <cmath>

#include "tools/evaluate/evaluation.h"
#include "tools/programs/text_table.h"
#include "tools/report/chart.h"

namespace sagcl::tools {
namespace {

bool about_cost(const TableHead& head) { return head.table.number == "VI"; }

std::string name_of(const PaperTable& table) {
  return table.number == "hippocampus" ? "Hippocampus" : table.number == "labels" ? "Labels" : "Table " + table.number;
}

/// "-" where a seed has no value: a mean of the others would be another thing.
std::string mean_and_spread(const std::vector<double>& v, int decimals) {
  return v.size() < 2 || !std::isfinite(mean(v)) ? number(mean(v), decimals)
                                                 : number(mean(v), decimals) + " ± " + number(deviation(v), decimals);
}

std::string signed_mean(const std::vector<double>& v) {
  if (v.empty()) return "-";
  return (mean(v) >= 0.05 ? "+" : "") + mean_and_spread(v, 1);
}

std::string share_text(double share) { return std::isfinite(share) ? number(100 * share, 0) + " %" : "-"; }

std::string seeds_text(const RowResult& r) {
  return std::to_string(r.seeds.size()) + (r.not_finite ? fmt::format(", {} not finite", r.not_finite) : "");
}

const char* mark_of(Source source) {
  switch (source) {
    case Source::picked_on_test: return " (t)";
    case Source::own: return " (o)";
    case Source::own_picked: return " (o, t)";
    default: return "";
  }
}

std::string printed_cells(const TableHead& head, const RowResult& r) {
  const Figures* f = printed(head.table, r.planned.row, r.labelled);
  if (!f) return "- | - | - | -";
  return fmt::format("{:.2f}{} | {:.2f}{} | {:.2f} | {:.2f}", f->dice, mark_of(r.planned.row.source), f->jaccard,
                     jaccard_fits_dice(f->dice, f->jaccard) ? "" : " (!)", f->hd95, f->asd);
}

std::string figure_rows(const TableHead& head, const std::vector<RowResult>& results) {
  std::string text = fmt::format(
      "Mean ± standard deviation over seeds; Dice and Jaccard in per cent, distances in {}; last iteration, mean over\n"
      "foreground classes and test cases. *difference*: Dice minus that of supervised training with copy-paste, of the "
      "same\n"
      "seeds. *gap recovered*: (method − supervised) / (all labels − supervised), supervised training being the better of "
      "the\n"
      "two. *ms*: a step behind the warm-up. *paper*: what was printed there, for its own data and protocol; (!): this "
      "Jaccard\n"
      "is impossible beside this Dice, D/(2−D) <= J <= D; (t): its checkpoint was picked on the test cases; (o): printed by "
      "the\n"
      "method's own authors.\n\n"
      "| row | labels | seeds | Dice | Jaccard | HD95 | ASD | difference | gap recovered | ms | minutes | MiB | paper: Dice "
      "| "
      "Jaccard | HD95 | ASD |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      units(head.unit));
  for (const RowResult& r : results) {
    const std::vector<double> dice = column(r, &Figures::dice), jaccard = column(r, &Figures::jaccard);
    const std::string impossible = !dice.empty() && !jaccard_fits_dice(mean(dice), mean(jaccard)) ? " (!)" : "";
    text +=
        fmt::format("| {} | {} | {} | {} | {}{} | {} | {} | {} | {} | {} | {} | {} | {} |\n", r.planned.row.name, r.labelled,
                    seeds_text(r), mean_and_spread(dice, 1), mean_and_spread(jaccard, 1), impossible,
                    mean_and_spread(column(r, &Figures::hd95), 2), mean_and_spread(column(r, &Figures::asd), 2),
                    signed_mean(paired_differences(r, results)), share_text(gap_share(r, results)),
                    number(mean(column(r, &SeedResult::milliseconds)), 0), number(mean(column(r, &SeedResult::minutes)), 1),
                    number(mean(column(r, &SeedResult::peak_mib)), 0), printed_cells(head, r));
  }
  return text;
}

/// A row of the table that has no method here; what was printed for it stands there all the same.
std::string row_not_built(const TableHead& head, const std::string& id, const std::string& labelled) {
  for (const PaperRow& row : head.table.rows)
    if (row.id == id) {
      const RowResult none{{row}, labelled};
      if (about_cost(head))
        return fmt::format("| {} | {} | not built | - | - | - | - | - | {} | {} |\n", row.name, labelled,
                           number(row.cost ? row.cost->million_parameters : NAN, 2),
                           number(row.cost ? row.cost->minutes : NAN, 1));
      return fmt::format("| {} | {} | not built | - | - | - | - | - | - | - | - | - | {} |\n", row.name, labelled,
                         printed_cells(head, none));
    }
  return "";
}

}  // namespace

std::string cost_rows(const std::vector<RowResult>& results) {
  std::string text =
      "What a run costs in training; a step is the median of those behind the warm-up, and the multiple is that of "
      "supervised\n"
      "training. Parameters are all that are trained, a discriminator, projection heads and further decoders included. Runs "
      "that\n"
      "ran side by side have shared the machine. *paper*: as printed there (MC-Net's 15.25 M are three decoders).\n\n"
      "| row | labels | seeds | parameters, M | ms per step | multiple | minutes | MiB | paper: M | minutes |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n";
  double supervised = NAN;
  for (const RowResult& r : results) {
    const double step = mean(column(r, &SeedResult::milliseconds));
    if (r.planned.role == Role::supervised) supervised = step;
    const std::optional<Cost>& cost = r.planned.row.cost;
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", r.planned.row.name, r.labelled,
                        seeds_text(r), number(mean(column(r, &SeedResult::million_parameters)), 2), number(step, 0),
                        number(step / supervised, 2), mean_and_spread(column(r, &SeedResult::minutes), 1),
                        number(mean(column(r, &SeedResult::peak_mib)), 0), number(cost ? cost->million_parameters : NAN, 2),
                        number(cost ? cost->minutes : NAN, 1));
  }
  return text;
}

std::string to_markdown(const TableHead& head, const std::vector<RowResult>& results) {
  std::string text = fmt::format("# {}: {}\n\nPreset {}. ", name_of(head.table), head.table.title, head.preset);
  text += about_cost(head) ? cost_rows(results) : figure_rows(head, results);
  std::vector<std::string> amounts;
  for (const RowResult& r : results)
    if (r.planned.role == Role::supervised) amounts.push_back(r.labelled);
  for (const std::string& labelled : amounts)
    for (const std::string& id : head.not_built) text += row_not_built(head, id, labelled);
  return text;
}

std::string to_csv(const TableHead& head, const std::vector<RowResult>& results) {
  std::string text =
      "table,row,name,labelled,seeds,not_finite,dice_of_seeds,dice,dice_sd,jaccard,jaccard_sd,hd95_" + head.unit + ",asd_" +
      head.unit +
      ",difference,difference_sd,gap_recovered,step_ms,minutes,peak_mib,parameters_m,paper_dice,paper_jaccard,"
      "paper_hd95,paper_asd\n";
  for (const RowResult& r : results) {
    const std::vector<double> dice = column(r, &Figures::dice), jaccard = column(r, &Figures::jaccard);
    const std::vector<double> difference = paired_differences(r, results);
    std::string seeds;
    for (const SeedResult& s : r.seeds)
      seeds += fmt::format("{}{}:{:.3f}", seeds.empty() ? "" : " ", s.seed, s.figures.dice);
    text += fmt::format(
        "{},{},\"{}\",{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}", head.table.number, r.planned.row.id,
        r.planned.row.name, r.labelled, dice.size(), r.not_finite, seeds, number(mean(dice), 3), number(deviation(dice), 3),
        number(mean(jaccard), 3), number(deviation(jaccard), 3), number(mean(column(r, &Figures::hd95)), 3),
        number(mean(column(r, &Figures::asd)), 3), number(mean(difference), 3), number(deviation(difference), 3),
        number(gap_share(r, results), 4), number(mean(column(r, &SeedResult::milliseconds)), 1),
        number(mean(column(r, &SeedResult::minutes)), 2), number(mean(column(r, &SeedResult::peak_mib)), 0),
        number(mean(column(r, &SeedResult::million_parameters)), 4));
    const Figures* f = printed(head.table, r.planned.row, r.labelled);
    text += f ? fmt::format(",{},{},{},{}\n", f->dice, f->jaccard, f->hd95, f->asd) : ",-,-,-,-\n";
  }
  for (const std::string& id : head.not_built) text += fmt::format("{},{},not built\n", head.table.number, id);
  return text;
}

std::string to_svg(const TableHead& head, const std::vector<RowResult>& results) {
  const bool cost = about_cost(head);
  std::vector<Bar> bars;
  double largest = cost ? 0 : 100;
  for (const RowResult& r : results) {
    const std::vector<double> values = cost ? column(r, &SeedResult::milliseconds) : column(r, &Figures::dice);
    if (values.empty()) continue;
    const std::string& colour = palette()[r.planned.role == Role::method ? 0 : 5];
    bars.push_back(
        {r.planned.row.name + " (" + r.labelled + ")", mean(values), mean_and_spread(values, cost ? 0 : 1), colour, values});
    for (const double v : values)
      if (cost) largest = std::max(largest, v);
  }
  const std::string what = cost ? "milliseconds of a step" : "mean foreground Dice, per cent; points are seeds";
  std::string svg = bar_chart(name_of(head.table) + ": " + what, bars, largest);
  return svg.insert(5, "xmlns=\"http://www.w3.org/2000/svg\" style=\"font:13px sans-serif;background:#fff\" ");
}

}  // namespace sagcl::tools
