#include <algorithm>
#include <map>
#include <utility>

#include "semiagcl/training/warm_up.h"
#include "tools/report/canvas.h"
#include "tools/report/chart.h"
#include "tools/report/report.h"

// The curves of the report: the loss and each of its terms, what the method observes, and the validation Dice.
namespace sagcl::tools {

namespace {

/// What the short names of metrics.jsonl stand for; an unknown one stands for itself.
std::string long_name(const std::string& key) {
  static const std::map<std::string, std::string> names = {{"sup", "L_sup: supervised (cross-entropy and Dice)"},
                                                           {"reg", "L_reg: consistency with the teacher"},
                                                           {"pl", "L_PL: affinity graph (Eq. 3)"},
                                                           {"rw", "L_RW: reweighted contrast (Eq. 7)"},
                                                           {"ramp", "ramp-up of the unsupervised weights"},
                                                           {"lr", "learning rate"},
                                                           {"theta", "threshold θ of hard negatives"},
                                                           {"a_ii", "mean affinity A_ii"}};
  const auto found = names.find(key);
  return found == names.end() ? key : found->second;
}

/// One chart per key of `member`, in the order in which the method introduces them, then by name.
std::vector<std::string> keys_of(const RunRecord& run, std::map<std::string, double> TrainPoint::*member) {
  std::vector<std::string> keys;
  for (const char* first : {"sup", "reg", "pl", "rw", "ramp", "lr"})
    if (std::any_of(run.train.begin(), run.train.end(), [&](const TrainPoint& p) { return (p.*member).count(first) > 0; }))
      keys.push_back(first);
  std::map<std::string, bool> seen;
  for (const auto& k : keys) seen[k] = true;
  for (const TrainPoint& p : run.train)
    for (const auto& [key, value] : p.*member)
      if (seen.emplace(key, true).second) keys.push_back(key);
  return keys;
}

Chart term_chart(const RunRecord& run, std::map<std::string, double> TrainPoint::*member, const std::string& key,
                 const std::string& colour, bool smooth) {
  Chart chart{.title = long_name(key), .x_label = "step", .y_label = "", .series = {}, .marks = {}};
  Series s{.name = key, .colour = colour, .points = {}, .smooth = smooth};
  for (const TrainPoint& p : run.train)
    if (const auto found = (p.*member).find(key); found != (p.*member).end())
      s.points.push_back({double(p.step), found->second});
  chart.series.push_back(std::move(s));
  return chart;
}

/// On the validation cases; of a run that has none, on the test cases.
Chart dice_chart(const RunRecord& run) {
  const bool validated =
      std::any_of(run.validation.begin(), run.validation.end(), [](const auto& p) { return p.cases == "validation"; });
  const std::string cases = validated ? "validation" : "test";
  Chart chart{.title = "Mean foreground Dice, " + cases + " cases",
              .x_label = "step",
              .y_label = "per cent",
              .series = {},
              .factor = 100,
              .marks = {}};
  std::map<std::string, Series> series;
  for (const ValidationPoint& p : run.validation) {
    if (p.cases != cases) continue;
    Series& s = series[p.network];
    s.name = p.network, s.colour = p.network == "teacher" ? palette()[1] : palette()[0];
    s.points.push_back({double(p.step), p.dice});
  }
  for (auto& [name, s] : series) chart.series.push_back(std::move(s));
  return chart;
}

/// The network whose figures count: "student" or "teacher".
std::string evaluated(const RunRecord& run) {
  return semiagcl::names(run.settings.method.evaluated)[std::size_t(run.settings.method.evaluated)];
}

Chart per_class_chart(const RunRecord& run) {
  Chart chart{.title = "Validation Dice per class (" + evaluated(run) + ")",
              .x_label = "step",
              .y_label = "per cent",
              .series = {},
              .factor = 100,
              .marks = {}};
  for (const ValidationPoint& p : run.validation) {
    if (p.network != evaluated(run) || p.cases != "validation") continue;
    for (std::size_t k = 0; k < p.per_class.size(); ++k) {
      if (chart.series.size() <= k) {
        const bool named = run.evaluation && k < run.evaluation->classes.size();
        chart.series.push_back({named ? run.evaluation->classes[k] : "class " + std::to_string(k + 1),
                                palette()[(k + 2) % palette().size()],
                                {},
                                false});
      }
      chart.series[k].points.push_back({double(p.step), p.per_class[k]});
    }
  }
  return chart;
}

Chart loss_chart(const RunRecord& run) {
  Chart chart{.title = "Loss", .x_label = "step", .y_label = "", .series = {}, .marks = {}};
  chart.series.push_back({"loss", palette()[7], {}, true});
  for (const TrainPoint& p : run.train) chart.series[0].points.push_back({double(p.step), p.loss});
  return chart;
}

/// Where the method begins behind its warm-up.
std::vector<std::pair<double, std::string>> marks_of(const RunRecord& run) {
  const std::int64_t warm_up = semiagcl::warm_up_steps(run.settings.train.steps, run.settings.method);
  if (warm_up <= 0 || warm_up >= run.steps() || run.settings.train.method == "supervised") return {};
  return {{double(warm_up), "method starts"}};
}

}  // namespace

std::string progress_png(const RunRecord& run) {
  constexpr int width = 640, height = 270, head = 34;
  Canvas canvas(width + 16, head + 2 * height + 8, 2);
  canvas.text(12, 24, fmt::format("{}: step {} of {}", run_label(run), run.steps(), run.settings.train.steps),
              {.title = true});
  double top = head;
  for (Chart chart : {loss_chart(run), dice_chart(run)}) {
    chart.width = width, chart.height = height, chart.marks = marks_of(run), chart.reached = {0, double(run.steps())};
    canvas.origin(8, std::exchange(top, top + height));
    draw(chart, canvas);
  }
  return canvas.png();
}

std::string curves_section(const RunRecord& run) {
  if (run.train.empty() && run.validation.empty())
    return "<section><h2>Curves</h2><p class=\"quiet\">metrics.jsonl has no steps yet.</p></section>\n";
  std::string out = "<section><h2>Curves</h2><div class=\"charts\">\n";
  const auto add = [&](Chart chart) {
    chart.marks = marks_of(run);
    out += line_chart(chart);
  };
  if (!run.validation.empty()) {
    add(dice_chart(run));
    if (Chart c = per_class_chart(run); c.series.size() > 1) add(std::move(c));
  }
  add(loss_chart(run));
  std::size_t colour = 0;
  for (const auto& key : keys_of(run, &TrainPoint::terms))
    add(term_chart(run, &TrainPoint::terms, key, palette()[colour++ % palette().size()], true));
  for (const auto& key : keys_of(run, &TrainPoint::other))
    add(term_chart(run, &TrainPoint::other, key, palette()[6], false));
  return out + "</div></section>\n";
}

}  // namespace sagcl::tools
