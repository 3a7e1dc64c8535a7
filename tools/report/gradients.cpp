#include <algorithm>
#include <cmath>

#include "tools/report/heat_map.h"
#include "tools/report/html.h"
#include "tools/report/report.h"

// What each term of the loss did to each layer over the steps of a run (debug.grads_every).
namespace sagcl::tools {
namespace {

using semiagcl::TermGradients;

constexpr std::size_t most_rows = 26, most_columns = 160;

/// Some of them, evenly, with as many parts of the layers' names as there is room for.
std::vector<GradientPoint> drawn(const std::vector<GradientPoint>& all) {
  std::vector<GradientPoint> some;
  const std::size_t n = std::min(all.size(), most_columns);
  for (std::size_t i = 0; i < n; ++i) some.push_back(all[n == 1 ? 0 : i * (all.size() - 1) / (n - 1)]);
  for (std::size_t depth = 4; depth > 0; --depth) {
    const auto most = std::max_element(some.begin(), some.end(), [](const auto& a, const auto& b) {
      return a.gradients.layers.size() < b.gradients.layers.size();
    });
    if (most->gradients.layers.size() <= most_rows) break;
    for (GradientPoint& point : some) point.gradients = point.gradients.at_depth(depth);
  }
  return some;
}

template <class Names>
std::size_t place(const Names& names, const std::string& name) {
  return std::size_t(std::find(names.begin(), names.end(), name) - names.begin());
}

/// Every name once, in the order in which the steps bring them.
template <class F>
std::vector<std::string> names_of(const std::vector<GradientPoint>& points, F&& names_of_one) {
  std::vector<std::string> names;
  for (const GradientPoint& point : points)
    for (const std::string& name : names_of_one(point.gradients))
      if (place(names, name) == names.size()) names.push_back(name);
  return names;
}

std::vector<std::string> layer_names(const TermGradients& g) {
  std::vector<std::string> names;
  for (const auto& layer : g.layers) names.push_back(layer.name);
  return names;
}

class Section {
 public:
  explicit Section(const std::vector<GradientPoint>& all)
      : points_(drawn(all)),
        terms_(names_of(points_, [](const TermGradients& g) { return g.terms; })),
        layers_(names_of(points_, layer_names)) {
    for (const GradientPoint& point : points_)
      for (const auto& layer : point.gradients.layers)
        for (std::size_t a = 0; a < point.gradients.terms.size(); ++a) largest_ = std::max(largest_, layer.norm(a));
  }

  std::string html() const {
    const std::string low = fmt::format("{:.1e}", largest_ * 1e-4), high = fmt::format("{:.1e}", largest_);
    const auto strength = [&](const std::string& title, auto&& norm) {
      return chart(title, Shades::amount, low, high, [&](const TermGradients& g, const TermGradients::Layer& layer) {
        const double value = norm(g, layer);
        return value > 0 ? std::max(0.0, 1 + std::log10(value / largest_) / 4) : NAN;
      });
    };
    std::string out = fmt::format(
        "<section><h2>What each term of the loss does to each layer</h2>\n<p class=\"quiet\">Gradients of ramp · weight · "
        "value of each term in {} steps: how hard it pulls, and whether it pulls as {} does. Grey: no gradient.</p>"
        "<div class=\"charts\">\n",
        points_.size(), escaped(terms_.front()));
    out += strength("the whole loss: norm of its gradient",
                    [](const TermGradients& g, const auto& layer) { return layer.joint_norm(g.terms.size()); });
    for (const std::string& term : terms_) {
      out += strength(term + ": norm of its gradient", [&](const TermGradients& g, const TermGradients::Layer& layer) {
        const std::size_t a = place(g.terms, term);
        return a < g.terms.size() ? layer.norm(a) : 0;
      });
      if (term != terms_.front())
        out += chart(term + ": cosine with " + terms_.front(), Shades::direction, "−1: against it", "1: the same way",
                     [&](const TermGradients& g, const TermGradients::Layer& layer) {
                       const std::size_t a = place(g.terms, term), first = place(g.terms, terms_.front());
                       return std::max(a, first) < g.terms.size() ? layer.cosine(a, first) : NAN;
                     });
    }
    return out + "</div></section>\n";
  }

 private:
  template <class Value>
  std::string chart(const std::string& title, Shades shades, const std::string& low, const std::string& high,
                    Value&& value) const {
    HeatMap map{.title = title, .rows = layers_, .steps = {}, .values = {}, .shades = shades, .low = low, .high = high};
    map.values.assign(layers_.size() * points_.size(), NAN);
    for (std::size_t x = 0; x < points_.size(); ++x) {
      const TermGradients& g = points_[x].gradients;
      map.steps.push_back(double(points_[x].step));
      for (const auto& layer : g.layers) map.values[place(layers_, layer.name) * points_.size() + x] = value(g, layer);
    }
    return heat_chart(map);
  }

  std::vector<GradientPoint> points_;
  std::vector<std::string> terms_, layers_;
  double largest_ = 0;
};

}  // namespace

std::string gradients_section(const RunRecord& run) {
  return run.gradients.empty() || run.gradients.front().gradients.terms.empty() ? "" : Section(run.gradients).html();
}

}  // namespace sagcl::tools
