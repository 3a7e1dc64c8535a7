#include <algorithm>

#include "datasets/formats/formats.h"
#include "datasets/load.h"
#include "datasets/split.h"
#include "tools/programs/program.h"
#include "tools/programs/text_table.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"
#include "tools/report/report.h"
#include "tools/run/run_data.h"

// The pictures of the report: test cases with the contours of the run, and of those beside it.
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

const CaseResult* result_of(const RunRecord& run, const std::string& id) {
  if (!run.evaluation) return nullptr;
  for (const CaseResult& c : run.evaluation->cases)
    if (c.id == id) return &c;
  return nullptr;
}

struct Chosen {
  std::string word;
  std::size_t place;  // among the run's cases
};

/// Best, median and worst; beside another run the cases where it is ahead most and behind most, and the median.
std::vector<Chosen> chosen_cases(const std::vector<RunRecord>& runs) {
  const Evaluation& e = *runs[0].evaluation;
  const std::vector<std::size_t> order = e.by_dice();
  const Chosen median{"Median case", order[order.size() / 2]};
  if (e.cases.size() == 1) return {{"Case", 0}};
  std::vector<std::pair<double, std::size_t>> gains;
  for (std::size_t i = 0; runs.size() > 1 && i < e.cases.size(); ++i)
    if (const CaseResult* other = result_of(runs[1], e.cases[i].id))
      gains.push_back({e.cases[i].foreground_dice() - other->foreground_dice(), i});
  if (gains.empty()) return {{"Best case", order.back()}, median, {"Worst case", order.front()}};
  const auto [loss, gain] = std::minmax_element(gains.begin(), gains.end());
  return {
      {"Furthest ahead of " + runs[1].name(), gain->second}, median, {"Furthest behind " + runs[1].name(), loss->second}};
}

/// The planes of a case with one run's contours, and under them which run and its Dice.
std::string pictures_of(const RunRecord& run, const datasets::Dataset& data, const CaseResult& c, bool named) {
  std::string out = "<div><div class=\"figures\">";
  for (const std::string& figure : overlay_figures(load_case(run, data, c.id))) out += figure;
  out += "</div>";
  const std::string dice = fmt::format("Dice {} %", number(100 * c.foreground_dice(), 1));
  return out + fmt::format("<figcaption>{}</figcaption></div>", named ? escaped(run.name()) + ": " + dice : dice);
}

}  // namespace

std::string overlays_section(const std::vector<RunRecord>& runs) {
  const RunRecord& run = runs[0];
  if (!run.evaluation || run.evaluation->cases.empty()) return "";
  std::string out = "<section><h2>Predictions on test cases</h2>" + legend(run.evaluation->classes);
  try {
    const datasets::Dataset data = open_data(run.settings);
    for (const auto& [word, place] : chosen_cases(runs)) {
      const CaseResult& c = run.evaluation->cases[place];
      out += fmt::format("<h3>{}: {}</h3><div class=\"figures\">", escaped(word), escaped(c.id));
      for (const RunRecord& one : runs)
        if (const CaseResult* result = result_of(one, c.id)) try {
            out += pictures_of(one, data, *result, runs.size() > 1);
          } catch (const engine::DataError& error) {
            if (&one == &run) throw;
            out += fmt::format("<p class=\"quiet\">{}: {}</p>", escaped(one.name()), escaped(error.what()));
          }
      out += "</div>\n";
    }
  } catch (const engine::DataError& error) {
    // The data or the predictions were moved since: the rest of the report stands without pictures.
    say(fmt::format("note: the report has no pictures: {}", error.what()));
    out += fmt::format("<p class=\"quiet\">No pictures: {}</p>", escaped(error.what()));
  }
  return out + "</section>\n";
}

}  // namespace sagcl::tools
