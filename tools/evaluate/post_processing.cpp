#include "tools/evaluate/post_processing.h"

#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"
#include "semiagcl/evaluation/components.h"
#include "tools/evaluate/evaluation.h"
#include "tools/programs/text_table.h"

namespace sagcl::tools {

using Json = nlohmann::ordered_json;
using engine::DataError;

namespace {

const std::vector<ComponentRule>& component_rules() {  // the simplest first
  static const std::vector<ComponentRule> rules = {
      {},           {.largest = true}, {false, 10},   {false, 30},   {false, 100},
      {false, 300}, {false, 1000},     {false, 3000}, {false, 10000}};
  return rules;
}

void keep(const ComponentRule& rule, std::uint8_t k, Tensor& mask) {
  if (rule.largest) semiagcl::keep_largest_component(mask, k);
  if (rule.smallest > 0) semiagcl::drop_small_components(mask, k, rule.smallest);
}

}  // namespace

std::string ComponentRule::text() const {
  return largest ? "largest component" : smallest > 0 ? fmt::format("no component below {} voxels", smallest) : "nothing";
}

Tensor PostProcessing::apply(Tensor mask) const {
  Tensor kept = mask.sole_owner() ? std::move(mask) : mask.clone();
  for (std::size_t k = 0; k < rules.size(); ++k) keep(rules[k], std::uint8_t(k + 1), kept);
  return kept;
}

PostProcessingChoice::PostProcessingChoice(std::vector<std::string> classes)
    : classes_(std::move(classes)), sums_(classes_.size(), std::vector<double>(component_rules().size(), 0.0)) {}

void PostProcessingChoice::add(const Tensor& prediction, const Tensor& reference) {
  ++cases_;
  for (std::size_t rule = 0; rule < component_rules().size(); ++rule) {
    Tensor mask = prediction.clone();
    for (std::size_t k = 0; k < classes_.size(); ++k) keep(component_rules()[rule], std::uint8_t(k + 1), mask);
    const std::vector<double> dice = dice_per_class(mask, reference, std::int64_t(classes_.size()));
    for (std::size_t k = 0; k < classes_.size(); ++k) sums_[k][rule] += dice[k];
  }
}

std::size_t PostProcessingChoice::chosen(std::size_t k) const {
  constexpr double gain = 0.001;
  std::size_t best = 0;
  for (std::size_t rule = 1; rule < component_rules().size(); ++rule)
    if (dice(k, rule) > dice(k, best) && dice(k, rule) >= dice(k, 0) + gain) best = rule;
  return best;
}

PostProcessing PostProcessingChoice::best() const {
  PostProcessing p{classes_, {}};
  for (std::size_t k = 0; k < classes_.size(); ++k) p.rules.push_back(component_rules()[chosen(k)]);
  return p;
}

std::string PostProcessingChoice::text() const {
  TextTable table({"class", "post-processing", "Dice % without", "with"});
  for (std::size_t k = 0; k < classes_.size(); ++k)
    table.row(
        {classes_[k], component_rules()[chosen(k)].text(), number(100 * dice(k, 0)), number(100 * dice(k, chosen(k)))});
  return table.text();
}

void PostProcessingChoice::write(const std::filesystem::path& file) const {
  Json json = {{"schema_version", 1}, {"classes", classes_}, {"rules", Json::array()}, {"cases", cases_}};
  for (std::size_t k = 0; k < classes_.size(); ++k) {
    const ComponentRule& rule = component_rules()[chosen(k)];
    json["rules"].push_back({{"largest", rule.largest}, {"smallest", rule.smallest}});
    json["dice_before"].push_back(dice(k, 0)), json["dice_after"].push_back(dice(k, chosen(k)));
  }
  engine::write_file_atomically(file, json.dump(1) + "\n");
}

PostProcessing read_post_processing(const std::filesystem::path& file) {
  PostProcessing p;
  try {
    const Json json = Json::parse(engine::read_file(file));
    p.classes = json.at("classes").get<std::vector<std::string>>();
    for (const Json& rule : json.at("rules"))
      p.rules.push_back({rule.at("largest").get<bool>(), rule.at("smallest").get<std::int64_t>()});
  } catch (const nlohmann::json::exception& e) {
    engine::fail<DataError>("{}: is not a file of sagcl-eval --choose-post-processing ({})", file.string(), e.what());
  }
  engine::require<DataError>(p.rules.size() == p.classes.size(), "{}: has {} rules for {} classes", file.string(),
                             p.rules.size(), p.classes.size());
  return p;
}

}  // namespace sagcl::tools
