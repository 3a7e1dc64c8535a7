#include "datasets/label_remedy.h"

#include <fmt/format.h>

#include <algorithm>

namespace sagcl::datasets {

namespace {

constexpr std::size_t many = 10;     // different values that no list of classes has by chance
constexpr double most_classes = 64;  // more distinct numbers are a sign of something else

bool all_whole(const std::map<double, std::int64_t>& counts) {
  return std::all_of(counts.begin(), counts.end(), [](const auto& c) { return is_whole(c.first); });
}

/// A rule that gives each value a class of its own: "0:0,100:1,200:2".
std::string numbered(const std::map<double, std::int64_t>& counts) {
  std::string text = "0:0";
  std::int64_t next = 1;
  for (const auto& [value, count] : counts)
    if (value != 0) text += fmt::format(",{}:{}", shown_value(value), next++);
  return text;
}

/// A rule for classes stored as themselves beside values below 0, which become background: "0:0,-1:0,1:1,2:2".
std::string with_negatives(const std::map<double, std::int64_t>& counts, std::int64_t classes) {
  std::string text = "0:0";
  for (const auto& [value, count] : counts)
    if (value < 0) text += fmt::format(",{}:0", shown_value(value));
  for (std::int64_t k = 1; k <= std::max(classes - 1, std::int64_t(counts.rbegin()->first)); ++k)
    text += fmt::format(",{0}:{0}", k);
  return text;
}

/// What to do about whole numbers that no rule of proposed_rule fits. `classes`: as many as are named; 0 if none are.
std::string remedy_for_numbers(const std::map<double, std::int64_t>& counts, std::int64_t classes, bool mapped,
                               const char* option) {
  const double low = counts.begin()->first, high = counts.rbegin()->first;
  const bool gapless = high + 1 == double(counts.size()) || (low > 0 && high == double(counts.size()));
  if (!mapped && classes > 0 && low >= 0 && high < most_classes && gapless)
    return fmt::format(
        "the label holds values up to {}, more classes than the {} that are named; name them all in \"labels\" of "
        "dataset.json (if they number instances of one class instead, give the rule instances)",
        high, classes);
  if (counts.size() > listed_values + 1 || (low < 0 && high >= most_classes))
    return "which class does each value mean? With a rule such as 0:0,5:1 " + how_to_give("RULE", option);
  const std::string rule = low < 0 ? with_negatives(counts, classes) : numbered(counts);
  return fmt::format("which class does each value mean? If {}, {}",
                     low < 0 ? "those below 0 are background" : "each is a class of its own", how_to_give(rule, option));
}

}  // namespace

std::string shown_value(double v) { return is_whole(v) ? std::to_string(std::int64_t(v)) : fmt::format("{}", float(v)); }

std::string how_to_give(const std::string& rule, const char* option) {
  if (option) return fmt::format("say so with {} {}, or repair the file", option, rule);
  return fmt::format(
      "say so with --set data.label_map={0} (sagcl-train), --label-map {0} (sagcl-data) or \"label_map\": \"{0}\" "
      "in dataset.json, or repair the file",
      rule);
}

std::string proposed_rule(const std::map<double, std::int64_t>& counts, std::int64_t classes) {
  if (counts.empty() || classes != 2 || counts.begin()->first < 0) return "";
  const auto& [largest, of_largest] = *counts.rbegin();
  const bool zero = counts.begin()->first == 0, numbers = all_whole(counts);
  if (numbers && largest > 0 && (counts.size() == 1 || (counts.size() == 2 && zero)))
    return fmt::format("0:0,{}:1", std::int64_t(largest));
  std::int64_t between = 0, ends = of_largest, of_one = 0;  // of_one: of the most frequent whole number between
  for (const auto& [value, count] : counts)
    if (value == 0) ends += count;
    else if (value != largest) between += count, of_one = std::max(of_one, is_whole(value) ? count : 0);
  if (!numbers && largest <= 1 + label_rounding) return "cut:0.5";  // probabilities
  // Resampling blurs edges only: most voxels keep one of the two values, and what lies between is spread over many. A value
  // between that is frequent is a class. Whole numbers up to 255 were white before.
  const bool spread =
      numbers ? 2 * of_one <= between && (between <= of_largest || counts.size() > many) : 10 * of_one <= between;
  const bool blurred = between < ends && spread && (!numbers || largest == 255 || largest == 65535);
  if (blurred && largest > 0) return fmt::format("cut:{}", numbers ? std::ceil(largest / 2) : largest / 2);
  return numbers && counts.size() > many ? "instances" : "";
}

std::string label_remedy(const std::map<double, std::int64_t>& counts, std::int64_t classes, bool mapped,
                         const char* option) {
  const std::string rule = proposed_rule(counts, classes == 0 ? 2 : classes);
  if (rule == "instances")
    return fmt::format(
        "it looks like one number per instance; {}; if each is a class, name them in \"labels\" of dataset.json",
        how_to_give(rule, option));
  if (!rule.empty())
    return fmt::format("{}; {}",
                       rule.starts_with("cut")
                           ? "it looks like a resampled mask or like probabilities, which can be cut in the middle"
                           : "it looks like a mask of two values",
                       how_to_give(rule, option));
  if (!all_whole(counts))
    return "a label holds whole numbers: write it again from its source, resampled to the nearest neighbour if at all";
  return remedy_for_numbers(counts, classes, mapped, option);
}

}  // namespace sagcl::datasets
