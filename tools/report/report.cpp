#include "tools/report/report.h"

#include <cmath>

#include "engine/files/atomic_file.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/programs/text_table.h"
#include "tools/programs/version.h"
#include "tools/report/html.h"

// The page and its head; the sections are in tables.cpp, curves.cpp, method.cpp, gradients.cpp and overlays.cpp.
namespace sagcl::tools {

namespace fs = std::filesystem;

const char* const report_style = R"(
:root { --ink:#1d2430; --quiet:#667085; --line:#e4e7ec; --paper:#fff; --tint:#f7f8fa; --accent:#0072b2; }
* { box-sizing:border-box; }
body { margin:0; background:var(--tint); color:var(--ink); font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif; }
main { max-width:1080px; margin:0 auto; padding:28px 20px 60px; }
h1 { font-size:26px; margin:0; letter-spacing:-.01em; } h2 { font-size:18px; margin:0 0 12px; } h3 { font-size:15px; margin:16px 0 6px; }
p { margin:6px 0; } .quiet { color:var(--quiet); }
section { background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:20px 22px; margin-top:18px; }
.expectation { border-left:4px solid var(--accent); padding:6px 12px; background:#f0f7fc; border-radius:0 6px 6px 0; margin-top:14px; }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(118px,1fr)); gap:10px; margin-top:16px; }
.card { background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:10px 12px; }
.card b { display:block; font-size:19px; white-space:nowrap; font-variant-numeric:tabular-nums; line-height:1.25; } .card span { color:var(--quiet); font-size:12.5px; }
.scroll { overflow-x:auto; } .wide svg.chart { min-width:560px; }
table { border-collapse:collapse; width:100%; font-size:13.5px; font-variant-numeric:tabular-nums; }
th { text-align:right; font-weight:600; color:var(--quiet); border-bottom:2px solid var(--line); padding:4px 8px; vertical-align:bottom; }
td { text-align:right; border-bottom:1px solid var(--line); padding:4px 8px; white-space:nowrap; }
thead tr:first-child th:first-child,td:first-child { text-align:left; } th.group { text-align:center; } tr.this td { font-weight:600; background:#f0f7fc; }
table.dense { font-size:12.5px; } table.dense th,table.dense td { padding:4px 5px; }
tr.mean td { font-weight:600; border-top:2px solid var(--line); } td.bad { color:#b42318; }
td .bar { display:inline-block; height:9px; border-radius:2px; background:#9ccbe6; margin-right:7px; vertical-align:1px; }
.charts { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(340px,100%),1fr)); gap:10px 18px; }
svg.chart { max-width:100%; height:auto; font:11.5px system-ui,"DejaVu Sans",sans-serif; fill:var(--ink); } svg .title { font-weight:600; font-size:13px; }
.figures { display:flex; flex-wrap:wrap; gap:14px; align-items:flex-end; } figure { margin:0; } figure svg { background:#000; border-radius:6px; max-width:100%; height:auto; }
figcaption { color:var(--quiet); font-size:12.5px; text-align:center; }
.legend span { margin-right:18px; white-space:nowrap; } .legend i { display:inline-block; width:22px; height:11px; margin-right:6px; border-radius:2px; }
pre { background:var(--tint); border:1px solid var(--line); border-radius:6px; padding:10px 12px; overflow-x:auto; font-size:12.5px; line-height:1.45; margin:6px 0; }
summary { cursor:pointer; font-weight:600; } details { margin-top:10px; } footer { color:var(--quiet); font-size:12.5px; margin-top:18px; }
@media print { body { background:#fff; } section { break-inside:avoid; } }
)";

std::string run_label(const RunRecord& run) {
  std::string label = run.settings.train.method;
  if (run.labelled) label += fmt::format(", {} labelled", *run.labelled);
  return label;
}

namespace {

std::string card(const std::string& value, const std::string& what) {
  return "<div class=\"card\"><b>" + escaped(value) + "</b><span>" + escaped(what) + "</span></div>";
}

std::string dataset_name(const RunRecord& run) {
  const fs::path folder = run.settings.data.folder;
  return (folder.filename().empty() ? folder.parent_path() : folder).filename().string();
}

}  // namespace

std::string key_figures(const RunRecord& run) {
  std::string out = "<div class=\"cards\">";
  if (run.evaluation) {
    const Evaluation& e = *run.evaluation;
    out += card(number(100 * e.foreground_mean.dice, 1) + " %", "mean foreground Dice");
    out += card(number(e.foreground_mean.hd95, 2), e.unit == "mm" ? "HD95, mm" : "HD95, voxels");
    out += card(fmt::format("{}", e.cases.size()), "test cases");
    if (e.empty_predictions) out += card(fmt::format("{}", e.empty_predictions), "empty predictions");
  }
  if (run.labelled)
    out +=
        card(fmt::format("{} of {}", *run.labelled, *run.labelled + run.unlabelled.value_or(0)), "training cases labelled");
  out += card(fmt::format("{}", run.steps()), "training steps");
  if (std::isfinite(run.seconds())) out += card(duration_text(run.seconds()), "training time");
  out += card(fmt::format("{}", run.settings.train.seed), "seed");
  return out + "</div>";
}

std::string html_page(const std::string& title, const std::string& body) {
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width,initial-scale=1\"><title>" +
         escaped(title) + "</title><style>" + report_style + "</style></head><body><main>\n" + body +
         "</main></body></html>\n";
}

std::string report_page(const fs::path& folder, const ReportSpec& spec) {
  std::vector<RunRecord> runs = {read_run(folder)};
  for (const fs::path& other : spec.compare)
    if (!fs::equivalent(other, folder)) runs.push_back(read_run(other));
  const RunRecord& run = runs[0];
  const std::string title = fmt::format("{} · {}", dataset_name(run), run_label(run));
  std::string page = "<h1>" + escaped(title) + "</h1><p class=\"quiet\">" + escaped(run.settings.network.name) +
                     " of width " + std::to_string(run.settings.network.width) + ", method settings " +
                     escaped(run.settings.method.preset) + ", run folder " + escaped(run.name()) + "</p>\n";
  const std::string& expectation = spec.expectation.empty() ? run.settings.expectation : spec.expectation;
  if (!expectation.empty()) page += "<p class=\"expectation\">" + escaped(expectation) + "</p>\n";
  page += key_figures(run);
  if (runs.size() > 1) page += comparison_section(runs);
  page += overlays_section(runs);
  page += curves_section(run);
  page += method_section(run) + gradients_section(run);
  if (run.evaluation) page += cases_section(*run.evaluation);
  page += details_section(run);
  page += fmt::format(
      "<footer>Written by sagcl {}. Dice and Jaccard in per cent; distances with MedPy's definitions.</footer>\n",
      version());
  return html_page(title, page);
}

fs::path write_report(const fs::path& run, const ReportSpec& spec) {
  const fs::path file = run / "report.html";
  engine::write_file_atomically(file, report_page(run, spec));
  return file;
}

}  // namespace sagcl::tools
