#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tools/programs/json_text.h"
#include "tools/run/run_folder.h"

namespace sagcl::tools {
namespace {

using Json = nlohmann::ordered_json;

/// Eight digits: as many as single precision has, and a line stays short.
double eight_digits(double v) { return std::strtod(fmt::format("{:.8g}", v).c_str(), nullptr); }

}  // namespace

std::string gradients_line(const GradientPoint& point) {
  const auto& [terms, layers] = point.gradients;
  Json json = {{"step", point.step}, {"phase", "gradients"}, {"terms", terms}};
  json["layers"] = json["products"] = Json::array();
  for (const auto& layer : layers) {
    json["layers"].push_back(layer.name);
    Json& upper = json["products"].emplace_back(Json::array());
    for (std::size_t a = 0; a < terms.size(); ++a)
      for (std::size_t b = a; b < terms.size(); ++b) upper.push_back(eight_digits(layer.product(a, b)));
  }
  return json_text(json);
}

GradientPoint gradient_point(const std::string& line, const std::string& where) {
  try {
    const Json json = Json::parse(line);
    GradientPoint point{json.at("step"), {json.at("terms").get<std::vector<std::string>>(), {}}};
    const std::size_t n = point.gradients.terms.size();
    const auto names = json.at("layers").get<std::vector<std::string>>();
    std::vector<std::vector<double>> products;
    for (const Json& of_layer : json.at("products"))
      for (products.emplace_back(); const Json& v : of_layer)
        products.back().push_back(v.is_null() ? std::nan("") : v.get<double>());  // JSON has no NaN
    if (products.size() != names.size()) throw std::out_of_range("as many products as layers are needed");
    for (std::size_t i = 0; i < names.size(); ++i) {
      semiagcl::TermGradients::Layer& layer = point.gradients.layers.emplace_back();
      layer = {names[i], std::vector<double>(n * n)};
      if (products[i].size() != n * (n + 1) / 2) throw std::out_of_range("products of " + names[i] + " are no triangle");
      auto next = products[i].begin();
      for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = a; b < n; ++b) layer.products[a * n + b] = layer.products[b * n + a] = *next++;
    }
    return point;
  } catch (const std::exception& e) {
    engine::fail<engine::DataError>("{}: this line about gradients cannot be read ({}); remove it", where, e.what());
  }
}

}  // namespace sagcl::tools
