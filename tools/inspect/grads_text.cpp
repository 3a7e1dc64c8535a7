#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/inspect/grads.h"
#include "tools/programs/json_text.h"
#include "tools/programs/text_table.h"

namespace sagcl::tools {
namespace {

using semiagcl::TermGradients;

std::string scientific(double v) { return std::isfinite(v) ? fmt::format("{:.2e}", v) : "-"; }

/// One character per decade, as high as its share of the largest.
std::string histogram(const std::vector<std::int64_t>& counts) {
  static const char* const bars[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const double most = double(*std::max_element(counts.begin(), counts.end()));
  std::string text;
  for (const std::int64_t n : counts) text += bars[n == 0 ? 0 : 1 + int(std::lround(7 * double(n) / most))];
  return text;
}

std::string terms_table(const GradientReport& r) {
  const std::size_t n = r.terms.terms.size();
  std::vector<std::string> header{"layer", "loss"};
  for (std::size_t a = 0; a < n; ++a) {
    header.push_back(r.terms.terms[a]);
    if (a > 0) header.push_back("cos");
  }
  TextTable table(header);
  const auto row = [&](const TermGradients::Layer& layer) {
    std::vector<std::string> cells{layer.name, scientific(layer.joint_norm(r.own))};
    for (std::size_t a = 0; a < n; ++a) {
      cells.push_back(scientific(layer.norm(a)));
      if (a > 0) cells.push_back(number(layer.cosine(a, 0)));
    }
    table.row(cells);
  };
  for (const auto& layer : r.terms.layers) row(layer);
  table.rule();
  row(r.terms.whole());
  return table.text();
}

std::string cosine_table(const GradientReport& r) {
  std::vector<std::string> header{"cosine"};
  header.insert(header.end(), r.terms.terms.begin(), r.terms.terms.end());
  TextTable table(header);
  const TermGradients::Layer all = r.terms.whole();
  for (std::size_t a = 0; a < r.terms.terms.size(); ++a) {
    std::vector<std::string> cells{r.terms.terms[a]};
    for (std::size_t b = 0; b < r.terms.terms.size(); ++b) cells.push_back(number(all.cosine(a, b)));
    table.row(cells);
  }
  return table.text();
}

std::string layers_table(const GradientReport& r) {
  TextTable table({"layer", "weights", "|w|", "|Δw|/|w|", "g = 0", "dead units",
                   fmt::format("|g|, 1e{} … 1e{}", lowest_decade, lowest_decade + decades)});
  for (const LayerState& l : r.layers)
    table.row({l.name, fmt::format("{}", l.weights), scientific(l.norm), scientific(l.update), fmt::format("{}", l.zeros),
               l.units ? fmt::format("{} of {}", l.dead, l.units) : "-",
               l.not_finite ? fmt::format("{} NaN or infinite", l.not_finite)
               : l.reached  ? histogram(l.decades)
                            : "no gradient"});
  return table.text();
}

}  // namespace

std::string gradient_text(const GradientReport& r) {
  std::string text = r.subject + "\n\nGradient norms of ramp · weight · value of each term";
  if (r.batches > 1) text += fmt::format(", root of the sum of squares over {} batches", r.batches);
  if (r.terms.terms.size() > 1) text += "; cos: with the gradient of " + r.terms.terms.front();
  text += "\n" + terms_table(r);
  if (r.terms.terms.size() > 1) text += "\nBetween terms, all layers as one\n" + cosine_table(r);
  text += "\nThe student's weights, what the step does to them, and the gradient of the whole loss\n" + layers_table(r);
  std::string never;
  for (const LayerState& l : r.layers)
    if (!l.reached) never += " " + l.name;
  text += never.empty() ? "\nEvery layer received a gradient." : "\nNo gradient reached:" + never + ".";
  if (r.teacher_parameters > 0)
    text += r.teacher_reached == 0 ? fmt::format(" Of the teacher's {} parameters none did.", r.teacher_parameters)
                                   : fmt::format(" WRONG: {} of the teacher's {} parameters received one.",
                                                 r.teacher_reached, r.teacher_parameters);
  return text + "\n";
}

std::string gradient_json(const GradientReport& r) {
  using Json = nlohmann::ordered_json;
  const auto number = [](double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); };
  Json json = {{"schema_version", 1},  {"subject", r.subject},   {"step", r.step},
               {"batches", r.batches}, {"terms", r.terms.terms}, {"terms_of_the_loss", r.own}};
  const auto of_terms = [&](const TermGradients::Layer& layer) {
    Json one = {{"name", layer.name}, {"norm", number(layer.joint_norm(r.own))}};
    one["norms"] = one["cosines"] = Json::array();
    for (std::size_t a = 0; a < r.terms.terms.size(); ++a) {
      one["norms"].push_back(number(layer.norm(a)));
      Json& row = one["cosines"].emplace_back(Json::array());
      for (std::size_t b = 0; b < r.terms.terms.size(); ++b) row.push_back(number(layer.cosine(a, b)));
    }
    return one;
  };
  json["all"] = of_terms(r.terms.whole());
  json["layers"] = json["weights"] = Json::array();
  for (const auto& layer : r.terms.layers) json["layers"].push_back(of_terms(layer));
  for (const LayerState& l : r.layers)
    json["weights"].push_back({{"name", l.name},
                               {"count", l.weights},
                               {"norm", l.norm},
                               {"update_ratio", number(l.update)},
                               {"zero_gradients", l.zeros},
                               {"not_finite", l.not_finite},
                               {"reached", l.reached},
                               {"units", l.units},
                               {"dead_units", l.dead},
                               {"lowest_decade", lowest_decade},
                               {"decades", l.decades}});
  json["teacher"] = {{"parameters", r.teacher_parameters}, {"reached", r.teacher_reached}};
  return json_text(json, 1) + "\n";
}

}  // namespace sagcl::tools
