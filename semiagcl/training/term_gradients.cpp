#include "semiagcl/training/term_gradients.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace sagcl::semiagcl {
namespace {

double inner_product(const std::vector<double>& a, const std::vector<double>& b) {
  return a.empty() || b.empty() ? 0 : std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void add(TermGradients::Layer& sum, const TermGradients::Layer& layer) {
  std::transform(sum.products.begin(), sum.products.end(), layer.products.begin(), sum.products.begin(), std::plus<>());
}

/// The layer of that name, behind the others if it is new.
TermGradients::Layer& layer_called(TermGradients& all, const std::string& name) {
  for (TermGradients::Layer& layer : all.layers)
    if (layer.name == name) return layer;
  return all.layers.emplace_back(TermGradients::Layer{name, std::vector<double>(all.terms.size() * all.terms.size())});
}

}  // namespace

double TermGradients::Layer::product(std::size_t a, std::size_t b) const {
  return products[a * std::size_t(std::sqrt(double(products.size()))) + b];
}

double TermGradients::Layer::norm(std::size_t a) const { return std::sqrt(product(a, a)); }

double TermGradients::Layer::joint_norm(std::size_t n) const {
  double sum = 0;
  for (std::size_t a = 0; a < n; ++a)
    for (std::size_t b = 0; b < n; ++b) sum += product(a, b);
  return sum < 0 ? 0 : std::sqrt(sum);  // NaN stays
}

double TermGradients::Layer::cosine(std::size_t a, std::size_t b) const {
  const double norms = norm(a) * norm(b);
  return norms > 0 ? product(a, b) / norms : std::numeric_limits<double>::quiet_NaN();
}

void TermGradients::add(const TermGradients& other) {
  engine::require<engine::UsageError>(terms == other.terms && layers.size() == other.layers.size(),
                                      "gradients of other terms or layers do not add up");
  for (std::size_t i = 0; i < layers.size(); ++i) semiagcl::add(layers[i], other.layers[i]);
}

TermGradients::Layer TermGradients::whole() const {
  Layer all{"all", std::vector<double>(terms.size() * terms.size())};
  for (const Layer& layer : layers) semiagcl::add(all, layer);
  return all;
}

TermGradients TermGradients::at_depth(std::size_t depth) const {
  TermGradients made{terms, {}};
  for (const Layer& layer : layers) {
    const std::string name = first_parts(layer.name, depth);
    semiagcl::add(layer_called(made, name), layer);
  }
  return made;
}

std::string first_parts(const std::string& name, std::size_t depth) {
  std::size_t end = 0;
  while (depth-- > 0 && end != std::string::npos) end = name.find('.', end ? end + 1 : 0);
  return name.substr(0, end);
}

std::string layer_of(const std::string& parameter) { return parameter.substr(0, parameter.rfind('.')); }

TermGradients term_gradients(const GradientsOfTerms& all) {
  const std::size_t n = all.terms.size();
  TermGradients made{all.terms, {}};
  for (const std::string& parameter : all.parameters) {
    TermGradients::Layer& layer = layer_called(made, layer_of(parameter));
    std::vector<std::vector<double>> g(n);
    for (std::size_t a = 0; a < n; ++a)
      if (const auto found = all.gradients[a].find(parameter); found != all.gradients[a].end())
        g[a] = found->second.to_doubles();
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = 0; b < n; ++b) layer.products[a * n + b] += inner_product(g[a], g[b]);
  }
  return made;
}

}  // namespace sagcl::semiagcl
