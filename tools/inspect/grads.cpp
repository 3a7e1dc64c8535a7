#include "tools/inspect/grads.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace sagcl::tools {
namespace {

using Values = std::map<std::string, std::vector<double>>;

Values weights_of(layers::Module& network) {
  Values all;
  for (const auto& [name, p] : layers::parameters_of(network)) all[name] = p->value().to_doubles();
  return all;
}

double norm(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

/// Σ of the loss's terms for one parameter; empty if none reached it.
std::vector<double> whole_gradient(const semiagcl::GradientsOfTerms& all, std::size_t own, const std::string& parameter) {
  std::vector<double> sum;
  for (std::size_t a = 0; a < own; ++a) {
    const auto found = all.gradients[a].find(parameter);
    if (found == all.gradients[a].end()) continue;
    const std::vector<double> g = found->second.to_doubles();
    if (sum.empty()) sum.assign(g.size(), 0);
    for (std::size_t i = 0; i < g.size(); ++i) sum[i] += g[i];
  }
  return sum;
}

void count(LayerState& layer, const std::vector<double>& gradient) {
  for (const double g : gradient) {
    if (g == 0) ++layer.zeros;
    else if (!std::isfinite(g)) ++layer.not_finite;
    else ++layer.decades[std::size_t(std::clamp(int(std::floor(std::log10(std::abs(g)))) - lowest_decade, 0, decades - 1))];
  }
}

/// Channels of a per-channel parameter (bias, γ, β) that nothing flows back to.
void count_units(LayerState& layer, const engine::Shape& shape, const std::vector<double>& gradient) {
  if (shape.rank() != 1) return;
  layer.units = shape[0];
  layer.dead = std::max(layer.dead, std::int64_t(std::count(gradient.begin(), gradient.end(), 0.0)));
}

}  // namespace

GradientReport gradient_report(InspectedStep& subject, const GradientOptions& options) {
  semiagcl::Trainer& trainer = subject.trainer();
  GradientReport report;
  report.subject = subject.text(), report.step = subject.step();
  const semiagcl::Objective beside = options.truth ? objective_with_hidden_labels(subject) : semiagcl::Objective();
  const semiagcl::GradientsOfTerms all = trainer.gradients_of_terms(beside);
  report.own = all.terms.size() - std::size_t(options.truth), report.batches = options.batches;
  report.terms = semiagcl::term_gradients(all);
  for (std::int64_t i = 1; i < options.batches; ++i)
    report.terms.add(semiagcl::term_gradients(trainer.gradients_of_terms(beside, i)));
  if (options.depth > 0) report.terms = report.terms.at_depth(options.depth);
  if (layers::Segmenter* teacher = trainer.teacher())
    for (const auto& [name, p] : layers::parameters_of(*teacher))
      ++report.teacher_parameters, report.teacher_reached += p->has_grad();

  const Values before = weights_of(trainer.student());
  if (!trainer.finished()) trainer.advance(), trainer.reports();
  Values after = weights_of(trainer.student());
  std::map<std::string, std::pair<double, double>> norms;  // of a layer: ‖w‖² and ‖Δw‖²
  for (const auto& [parameter, p] : layers::parameters_in_order(trainer.student())) {
    const std::string layer_name = semiagcl::layer_of(parameter);
    const std::string name = options.depth == 0 ? layer_name : semiagcl::first_parts(layer_name, options.depth);
    if (report.layers.empty() || report.layers.back().name != name)
      report.layers.push_back({.name = name, .decades = std::vector<std::int64_t>(decades)});
    LayerState& layer = report.layers.back();
    const std::vector<double>& w = before.at(parameter);
    std::vector<double>& change = after.at(parameter);
    for (std::size_t i = 0; i < w.size(); ++i) change[i] -= w[i];
    norms[name].first += norm(w) * norm(w), norms[name].second += norm(change) * norm(change);
    layer.weights += std::int64_t(w.size());
    const std::vector<double> gradient = whole_gradient(all, report.own, parameter);
    layer.reached |= !gradient.empty();
    count(layer, gradient);
    count_units(layer, p->shape(), gradient);
  }
  for (LayerState& layer : report.layers) {
    const auto& [w, change] = norms.at(layer.name);
    layer.norm = std::sqrt(w);
    layer.update = w > 0 && subject.step() > report.step ? std::sqrt(change / w) : NAN;
  }
  return report;
}

}  // namespace sagcl::tools
