#include <algorithm>
#include <cmath>

#include "tools/evaluate/evaluation.h"
#include "tools/evaluate/label_gap.h"
#include "tools/programs/progress.h"
#include "tools/programs/text_table.h"
#include "tools/report/chart.h"
#include "tools/report/html.h"
#include "tools/report/report.h"

// The tables of the report: comparison of runs, all cases, settings and environment.
namespace sagcl::tools {

namespace {

std::string cell(const std::string& text, bool bad = false) {
  return (bad ? "<td class=\"bad\">" : "<td>") + escaped(text) + "</td>";
}

std::string percent(double v, int decimals = 1) { return number(100 * v, decimals); }

std::string score_cells(const Agreement& s) {
  return cell(percent(s.dice)) + cell(percent(s.jaccard)) + cell(number(s.hd95)) + cell(number(s.asd));
}

constexpr const char* score_heads = "<th>Dice</th><th>Jaccard</th><th>HD95</th><th>ASD</th>";

std::string seconds_text(double s) { return std::isfinite(s) ? duration_text(s) : "-"; }

/// Classes of the first run that has figures; runs with other classes show only their means.
std::vector<std::string> common_classes(const std::vector<RunRecord>& runs) {
  for (const RunRecord& r : runs)
    if (r.evaluation) return r.evaluation->classes;
  return {};
}

std::string comparison_row(const RunRecord& run, const std::vector<std::string>& classes, bool first) {
  std::string row = (first ? "<tr class=\"this\"><td>" : "<tr><td>") + escaped(run.name()) + "</td>";
  row += cell(run.settings.train.method) + cell(run.labelled ? std::to_string(*run.labelled) : "-") +
         cell(std::to_string(run.steps())) + cell(std::to_string(run.settings.train.seed));
  row += cell(seconds_text(run.seconds()));
  if (run.evaluation) {
    const Evaluation& e = *run.evaluation;
    row += cell(std::to_string(e.empty_predictions), e.empty_predictions > 0) + score_cells(e.foreground_mean);
    if (classes.size() > 1)
      for (std::size_t k = 0; k < classes.size(); ++k)
        row += e.classes == classes ? score_cells(e.mean[k]) : cell("-") + cell("-") + cell("-") + cell("-");
  } else {
    for (std::size_t k = 0; k < 4 * (classes.size() > 1 ? classes.size() + 1 : 1) + 1; ++k) row += cell("-");
  }
  return row + "</tr>\n";
}

}  // namespace

std::string comparison_section(const std::vector<RunRecord>& runs) {
  const std::vector<std::string> classes = common_classes(runs);
  std::string out = "<section><h2>Comparison</h2>\n";
  std::vector<Bar> bars;
  double largest = 0;
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (runs[i].evaluation) {
      const double dice = runs[i].evaluation->foreground_mean.dice;
      bars.push_back({run_label(runs[i]), dice, percent(dice) + " %", i == 0 ? "#0072b2" : "#9db7c9"});
      largest = std::max(largest, dice);
    }
  if (!bars.empty())
    out += "<div class=\"scroll wide\">" + bar_chart("Mean foreground Dice on the test cases", bars, largest) + "</div>\n";
  out +=
      "<div class=\"scroll\"><table class=\"dense\"><thead><tr><th rowspan=\"2\">run</th><th rowspan=\"2\">method</th><th "
      "rowspan=\"2\">labels</th>"
      "<th rowspan=\"2\">steps</th><th rowspan=\"2\">seed</th><th rowspan=\"2\">time</th><th rowspan=\"2\">empty</th><th "
      "colspan=\"4\" class=\"group\">foreground mean</th>";
  if (classes.size() > 1)
    for (const auto& c : classes) out += "<th colspan=\"4\" class=\"group\">" + escaped(c) + "</th>";
  out += "</tr><tr>";
  for (std::size_t k = 0; k < (classes.size() > 1 ? classes.size() + 1 : 1); ++k) out += score_heads;
  out += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < runs.size(); ++i) out += comparison_row(runs[i], classes, i == 0);
  out += "</tbody></table></div>\n";
  if (const std::string gap = gap_text(runs); !gap.empty()) out += "<p>" + escaped(gap) + "</p>\n";
  return out + "</section>\n";
}

std::string gap_text(const std::vector<RunRecord>& runs) {
  const auto dice = [](const RunRecord& r) { return 100 * r.evaluation->foreground_mean.dice; };
  const RunRecord *few = nullptr, *all = nullptr;  // the best of each
  for (const RunRecord& r : runs) {
    if (r.settings.train.method != "supervised" || !r.evaluation) continue;
    const bool same = r.labelled == runs[0].labelled;
    if (!same && r.unlabelled != 0) continue;
    const RunRecord*& best = same ? few : all;
    if (!best || dice(r) > dice(*best)) best = &r;
  }
  if (!few || !all || !runs[0].evaluation || runs[0].settings.train.method == "supervised") return "";
  const std::string ends = fmt::format("supervised training ({:.1f}) and all labels ({:.1f})", dice(*few), dice(*all));
  const double share = recovered_share(dice(runs[0]), dice(*few), dice(*all));
  if (!std::isfinite(share)) return "There is no gap to recover between " + ends + ".";
  if (share < 0)
    return fmt::format("{} ({:.1f}) recovers nothing of the gap between {}.", runs[0].name(), dice(runs[0]), ends);
  return fmt::format("{} recovers {:.0f} % of the gap between {}.", runs[0].name(), 100 * share, ends);
}

std::string comparison_text(const std::vector<RunRecord>& runs) {
  TextTable table({"run", "method", "labels", "steps", "seed", "Dice", "Jaccard", "HD95", "ASD", "time"});
  for (const RunRecord& r : runs) {
    const Agreement none{.dice = NAN, .jaccard = NAN, .hd95 = NAN, .asd = NAN, .assd = NAN};
    const Agreement& mean = r.evaluation ? r.evaluation->foreground_mean : none;
    table.row({r.name(), r.settings.train.method, r.labelled ? std::to_string(*r.labelled) : "-", std::to_string(r.steps()),
               std::to_string(r.settings.train.seed), number(100 * mean.dice, 1), number(100 * mean.jaccard, 1),
               number(mean.hd95), number(mean.asd), duration_text(r.seconds())});
  }
  const std::string gap = gap_text(runs);
  return table.text() + (gap.empty() ? "" : gap + "\n");
}

std::string cases_section(const Evaluation& e) {
  std::string out = fmt::format(
      "<section><h2>All {} test cases</h2><p class=\"quiet\">Dice and Jaccard in per cent, distances in {}; "
      "worst first. Empty predictions: {}.</p><div class=\"scroll\"><table><thead><tr><th rowspan=\"2\">case</th>",
      e.cases.size(), units(e.unit), e.empty_predictions);
  if (e.classes.size() > 1) out += "<th rowspan=\"2\">mean Dice</th>";
  for (const auto& c : e.classes) out += "<th colspan=\"5\" class=\"group\">" + escaped(c) + "</th>";
  out += "</tr><tr>";
  for (std::size_t k = 0; k < e.classes.size(); ++k) out += std::string(score_heads) + "<th>ASSD</th>";
  out += "</tr></thead><tbody>\n";
  const auto bar = [](double dice) {
    return fmt::format("<td><span class=\"bar\" style=\"width:{}px\"></span>{}</td>", coordinate(60 * std::max(0.0, dice)),
                       percent(dice));
  };
  for (std::size_t i : e.by_dice()) {
    const CaseResult& c = e.cases[i];
    out += "<tr><td>" + escaped(c.id) + "</td>";
    if (e.classes.size() > 1) out += bar(c.foreground_dice());
    for (const ClassResult& k : c.classes) {
      out += e.classes.size() > 1 ? cell(percent(k.scores.dice)) : bar(k.scores.dice);
      out += cell(percent(k.scores.jaccard));
      if (k.status == "ok") out += cell(number(k.scores.hd95)) + cell(number(k.scores.asd)) + cell(number(k.scores.assd));
      else
        out += "<td class=\"bad\" colspan=\"3\">" +
               escaped(k.status == "empty_prediction"  ? "nothing predicted"
                       : k.status == "empty_reference" ? "not in the truth"
                                                       : "both empty") +
               "</td>";
    }
    out += "</tr>\n";
  }
  out += "<tr class=\"mean\"><td>mean</td>";
  if (e.classes.size() > 1) out += bar(e.foreground_mean.dice);
  for (const Agreement& s : e.mean) out += score_cells(s) + cell(number(s.assd));
  return out + "</tr></tbody></table></div></section>\n";
}

std::string details_section(const RunRecord& run) {
  const auto table = [](const char* head, const Table& rows) {
    if (rows.empty()) return std::string();
    std::string out = fmt::format("<details><summary>{}</summary><table>", head);
    for (const auto& [name, value] : rows)
      out += "<tr><td>" + escaped(name) + "</td><td style=\"text-align:left;white-space:normal\">" + escaped(value) +
             "</td></tr>";
    return out + "</table></details>";
  };
  std::string out = "<section><h2>How it was made</h2>";
  if (!run.command.empty()) out += "<h3>Command</h3><pre>" + escaped(run.command) + "</pre>";
  out += "<details><summary>Configuration</summary><pre>" + escaped(run.config) + "</pre></details>";
  return out + table("Environment", run.environment) + table("Status", run.status) + "</section>\n";
}

}  // namespace sagcl::tools
