#include <algorithm>
#include <numeric>

#include "tools/report/chart.h"
#include "tools/report/heat_map.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"
#include "tools/report/patch_picture.h"
#include "tools/report/report.h"
#include "tools/run/method_look.h"

// What the method made of batches at a few moments of the run.
namespace sagcl::tools {
namespace {

constexpr std::size_t most_looks = 5;
constexpr double map_side = 180;

/// Some of those that have the part, evenly, the first and the last among them.
template <class Has>
std::vector<MethodLook> drawn(const std::vector<MethodLook>& all, Has&& has) {
  std::vector<MethodLook> with, some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(with), has);
  const std::size_t n = std::min(with.size(), most_looks);
  for (std::size_t i = 0; i < n; ++i) some.push_back(with[n == 1 ? 0 : i * (with.size() - 1) / (n - 1)]);
  return some;
}

/// A picture with lines of text below.
std::string panel(const std::string& title, const std::string& inner, double height, const std::vector<std::string>& lines) {
  std::string out = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"{2}\">"
      "<text x=\"1\" y=\"13\" class=\"title\">{2}</text><g transform=\"translate(1 20)\">{3}</g>",
      map_side + 2, height + 24 + 16 * double(lines.size()), escaped(title), inner);
  double y = height + 36;
  for (const std::string& line : lines)
    out += fmt::format("<text x=\"1\" y=\"{}\">{}</text>", std::exchange(y, y + 16), escaped(line));
  return out + "</svg>\n";
}

std::string affinity_part(const semiagcl::Method& m, const std::vector<MethodLook>& looks) {
  const bool joined = m.graph == semiagcl::GraphOver::batch;
  std::string out = fmt::format(
      "<h3>Affinity graph</h3><p class=\"quiet\">A of {} (Eq. 2): row, the teacher's patch; column, the student's. Where "
      "both see the same in a patch its A_ii is 1; patches that look alike make blocks. The run minimises "
      "L_PL = {}({:g} ‖A‖* − {:g} tr A) / N (Eq. 3).</p><div class=\"figures\">\n",
      joined ? "the batch's first patches" : "one image", m.sign == semiagcl::Sign::printed ? "−" : "", m.c_nuc, m.c_tr);
  Chart chart{
      .title = "Singular values of A", .x_label = "number", .y_label = "", .series = {}, .from_zero = true, .marks = {}};
  for (std::size_t i = 0; i < looks.size(); ++i) {
    const MethodLook& look = looks[i];
    out += panel(fmt::format("step {}", look.step), shaded(look.affinity, look.nodes, map_side, map_side), map_side,
                 {fmt::format("tr A/N {:.3f}, ‖A‖*/N {:.3f}", look.trace_share, look.norm_share),
                  fmt::format("difference {:.3f}", look.norm_share - look.trace_share)});
    Series series{.name = fmt::format("step {}", look.step), .colour = palette()[i % palette().size()], .points = {}};
    for (const double v : look.singular) series.points.push_back({double(series.points.size() + 1), v});
    chart.series.push_back(std::move(series));
  }
  chart.width = 600;
  return out + fmt::format(
                   "</div><svg class=\"chart\" viewBox=\"0 0 {0} 28\" width=\"{0}\" height=\"28\">{1}</svg>"
                   "<div class=\"scroll wide\">{2}</div>\n",
                   map_side + 2, shade_scale(map_side, Shades::amount, "0", "1"), line_chart(chart));
}

std::string class_name(const RunRecord& run, std::size_t k) {
  if (k == 0) return "background";
  const bool named = run.evaluation && k <= run.evaluation->classes.size();
  return named ? run.evaluation->classes[k - 1] : fmt::format("class {}", k);
}

std::string sampling_part(const RunRecord& run, const std::vector<MethodLook>& looks) {
  const std::size_t classes = looks.front().scores.size();
  std::vector<std::string> colours = {"#ffffff"};
  for (std::size_t k = 1; k < classes; ++k) colours.push_back(class_colours()[(k - 1) % class_colours().size()]);
  const auto most = [](const MethodLook& look) {  // the foreground class with most patches
    const auto found = std::max_element(look.picks.begin() + 1, look.picks.end(),
                                        [](const auto& a, const auto& b) { return a.size() < b.size(); });
    return std::size_t(found - look.picks.begin());
  };
  const semiagcl::Score score = run.settings.method.score;
  std::string out = fmt::format(
      "<h3>Chosen patches</h3><p class=\"quiet\">{} that gives most patches of foreground classes, with the outline of the "
      "class map C. Numbers: {} of each patch, by which they are ranked. Frames: the patches that count for a class, as its "
      "anchors and one another's positives; their negatives are made of patches of the other classes that were stored in "
      "earlier steps.</p><p class=\"legend\">",
      run.settings.method.patch_grid[0] > 1 ? "A plane of the volume of the batch" : "The image of the batch",
      score == semiagcl::Score::entropy ? "Ent (Eq. 1, in nats)" : semiagcl::names(score)[std::size_t(score)]);
  for (std::size_t k = 0; k < classes; ++k)
    out += fmt::format(
        "<span><i style=\"border:4px solid {};background:#444;height:17px;outline:1px solid "
        "#444;vertical-align:-4px\"></i>{}</span>",
        colours[k], escaped(class_name(run, k)));
  out += "</p><div class=\"figures\">\n";
  for (const MethodLook& look : looks) {
    const std::size_t k = most(look);
    const double scale = map_side / double(std::max(look.width, look.height));
    const PatchGrid grid{look.rows, look.columns, double(look.width) * scale, double(look.height) * scale};
    std::vector<std::string> words;
    for (const double v : look.scores[k]) words.push_back(fmt::format("{:.2f}", v));
    const std::string inner = fmt::format("<image href=\"data:image/png;base64,{0}\" width=\"{1}\" height=\"{2}\"/>",
                                          look.picture, coordinate(grid.width), coordinate(grid.height)) +
                              patch_lines(grid) + patch_frames(look.picks, grid, colours) + words_in_patches(words, grid);
    out += panel(fmt::format("step {}", look.step), inner, grid.height, {"numbers: " + class_name(run, k)});
  }
  return out + "</div>\n";
}

}  // namespace

std::string method_section(const RunRecord& run) {
  const std::vector<MethodLook> all = read_looks(run.folder);
  const auto graphs = drawn(all, [](const MethodLook& look) { return look.nodes > 0; });
  const auto samples = drawn(all, [](const MethodLook& look) { return look.scores.size() > 1; });
  if (graphs.empty() && samples.empty()) return "";
  return "<section><h2>The method at work</h2>\n" + (graphs.empty() ? "" : affinity_part(run.settings.method, graphs)) +
         (samples.empty() ? "" : sampling_part(run, samples)) + "</section>\n";
}

}  // namespace sagcl::tools
