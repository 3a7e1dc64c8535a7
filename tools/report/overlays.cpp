#include "datasets/formats/formats.h"
#include "datasets/load.h"
#include "datasets/split.h"
#include "tools/programs/program.h"
#include "tools/programs/text_table.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"
#include "tools/report/report.h"
#include "tools/run/run_data.h"

// The pictures of the report: best, median and worst test case.
namespace sagcl::tools {

namespace fs = std::filesystem;

namespace {

fs::path prediction_file(const RunRecord& run, const std::string& id) {
  for (const char* ending : {".nii.gz", ".nii", ".png"})
    if (const fs::path file = run.folder / "predictions" / (id + ending); fs::exists(file)) return file;
  engine::fail<engine::MissingInput>("{}: no prediction for case {}", (run.folder / "predictions").string(), id);
}

OverlayCase load_case(const RunRecord& run, const datasets::Dataset& data, const std::string& id) {
  const datasets::Case& one = datasets::find_case(data, id);
  datasets::Image image = datasets::load_image(one, data.channels);
  OverlayCase overlay;
  overlay.truth = datasets::load_label(one, image, data.labels, data.n_classes()).classes;
  const fs::path file = prediction_file(run, id);
  // PNG masks of data whose labels are cut at a threshold are written as 0 and 255; all others hold classes.
  datasets::LabelRule rule;
  if (data.labels.threshold > 0 && datasets::is_png(file)) rule.threshold = 128;
  overlay.prediction = datasets::apply_rule(rule, datasets::read_label(file), data.n_classes(), file.string());
  overlay.image = image.voxels, overlay.spacing = image.geometry.spacing;
  overlay.upside_down = image.geometry.measured;
  return overlay;
}

std::string legend(const std::vector<std::string>& classes) {
  std::string out = "<p class=\"legend\">";
  for (std::size_t k = 0; k < classes.size(); ++k) {
    const std::string& colour = class_colours()[k % class_colours().size()];
    out += fmt::format(
        "<span><i style=\"background:{0}66\"></i>{1}, truth</span><span><i style=\"border:2px solid "
        "{0};height:11px\"></i>{1}, predicted</span>",
        colour, escaped(classes[k]));
  }
  return out + "</p>";
}

}  // namespace

std::string overlays_section(const RunRecord& run) {
  if (!run.evaluation || run.evaluation->cases.empty()) return "";
  const Evaluation& e = *run.evaluation;
  const std::vector<std::size_t> order = e.by_dice();
  std::string out = "<section><h2>Predictions on test cases</h2>" + legend(e.classes);
  const std::pair<const char*, std::size_t> chosen[] = {
      {"Best", order.back()}, {"Median", order[order.size() / 2]}, {"Worst", order.front()}};
  try {
    const datasets::Dataset data = open_data(run.settings);
    for (const auto& [word, i] : chosen) {
      const CaseResult& c = e.cases[i];
      out += fmt::format("<h3>{} case: {}, Dice {} %</h3><div class=\"figures\">", word, escaped(c.id),
                         number(100 * c.foreground_dice(), 1));
      for (const std::string& figure : overlay_figures(load_case(run, data, c.id))) out += figure;
      out += "</div>\n";
      if (e.cases.size() == 1) break;
    }
  } catch (const engine::DataError& error) {
    // The data or the predictions were moved since: the rest of the report stands without pictures.
    say(fmt::format("note: the report has no pictures: {}", error.what()));
    out += fmt::format("<p class=\"quiet\">No pictures: {}</p>", escaped(error.what()));
  }
  return out + "</section>\n";
}

}  // namespace sagcl::tools
