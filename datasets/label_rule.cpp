#include "datasets/label_rule.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "datasets/text.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::Dtype;
using engine::fail;
using engine::require;
using engine::UsageError;

namespace {

constexpr std::size_t listed = 8;  // offending values named in an error
constexpr double rounding = 0.01;  // of a whole number that a header's scaling turned into a real one
constexpr const char* forms = "write 0:0,255:1 (value:class), cut:128, or instances";

bool whole(double v) { return v == std::floor(v) && std::abs(v) <= 1e9; }

/// A value as it is stored: no digits that only a double has.
std::string shown(double v) { return whole(v) ? std::to_string(std::int64_t(v)) : fmt::format("{}", float(v)); }

/// f(value, begin, end) for every run of equal values; labels are mostly such.
template <class F>
void for_each_run(const Tensor& values, F&& f) {
  require<engine::DtypeError>(values.dtype() == Dtype::f32 || values.dtype() == Dtype::i32,
                              "label values are f32 or i32, got {}", values.dtype());
  const auto run = [&](const auto* from) {
    for (std::int64_t begin = 0; begin < values.size();) {
      std::int64_t end = begin + 1;
      while (end < values.size() && from[end] == from[begin]) ++end;
      f(double(from[begin]), begin, end);
      begin = end;
    }
  };
  if (values.dtype() == Dtype::f32) run(values.data<float>());
  else run(values.data<std::int32_t>());
}

/// True if every value lies near a whole number and no two near the same, so that rounding mixes nothing up.
bool only_rounded(const std::map<double, std::int64_t>& counts) {
  std::set<double> numbers;
  return std::all_of(counts.begin(), counts.end(), [&](const auto& entry) {
    const double number = std::round(entry.first);
    return std::abs(entry.first - number) < rounding && numbers.insert(number).second;
  });
}

std::string list(const std::map<double, std::int64_t>& wrong) {
  std::string text;
  std::size_t n = 0;
  for (const auto& [value, count] : wrong) {
    if (++n > listed) return text + " and others";
    text += fmt::format("{}{} ({} times)", text.empty() ? "" : ", ", shown(value), count);
  }
  return text;
}

std::string remedy(const std::map<double, std::int64_t>& counts, std::int64_t classes, const char* option) {
  const std::string rule = proposed_rule(counts, classes);
  if (rule.empty()) return "which class does each value mean? With a rule such as 0:0,5:1 " + how_to_give("RULE", option);
  const char* reason = rule.starts_with("cut")
                           ? "it looks like a resampled mask or like probabilities, which can be cut in the middle"
                       : rule == "instances" ? "it looks like one number per instance"
                                             : "it looks like a mask of two values";
  return fmt::format("{}; {}", reason, how_to_give(rule, option));
}

/// What a rule makes of single values.
class Classifier {
 public:
  Classifier(const LabelRule& rule, const StoredLabel& stored, std::int64_t classes,
             const std::map<double, std::int64_t>& counts)
      : rule_(rule), shown_(stored.shown), classes_(classes), rounded_(!rule.threshold && only_rounded(counts)) {
    by_appearance_ = !shown_.empty() &&
                     (rule.threshold != 0 || (!rule.map.empty() && !all_mapped(counts, false) && all_mapped(counts, true)));
  }

  /// The value that the rule is asked about; -1 for a colour.
  double meant(double stored) const {
    const double v = rounded_ ? std::round(stored) : stored;
    if (!by_appearance_) return v;
    return v >= 0 && v < double(shown_.size()) ? shown_[std::size_t(v)] : -1;
  }

  /// The class, or -1.
  std::int64_t operator()(double stored) const {
    if (std::isnan(stored)) return -1;
    if (rule_.ignored && std::round(stored) == double(*rule_.ignored) && std::abs(stored - std::round(stored)) < rounding)
      return not_annotated;
    const double v = meant(stored);
    if (rule_.threshold != 0) return by_appearance_ && v < 0 ? -1 : v >= rule_.threshold ? 1 : 0;
    if (!whole(v)) return -1;
    if (rule_.instances) return v > 0 ? 1 : v == 0 ? 0 : -1;
    if (rule_.map.empty()) return std::int64_t(v) < classes_ ? std::int64_t(v) : -1;
    const auto found = rule_.map.find(std::int64_t(v));
    return found == rule_.map.end() || found->second >= classes_ ? -1 : found->second;
  }

  bool rounded() const { return rounded_; }

 private:
  bool all_mapped(const std::map<double, std::int64_t>& counts, bool shown) const {
    return std::all_of(counts.begin(), counts.end(), [&](const auto& entry) {
      const double stored = entry.first;
      const bool there = !shown || (stored >= 0 && stored < double(shown_.size()));
      const double v = shown && there ? shown_[std::size_t(stored)] : stored;
      return there && whole(v) && rule_.map.count(std::int64_t(v)) > 0;
    });
  }

  const LabelRule& rule_;
  const std::vector<double>& shown_;
  std::int64_t classes_;
  bool rounded_, by_appearance_ = false;
};

/// A mask of two values that both lie below the threshold would become all background without a word.
void require_threshold_fits(const LabelRule& rule, const Classifier& classify, const std::map<double, std::int64_t>& counts,
                            const std::string& name, const char* option) {
  if (rule.threshold == 0) return;
  std::map<double, std::int64_t> meant;
  for (const auto& [stored, count] : counts) meant[classify.meant(stored)] += count;
  const double largest = meant.empty() ? 0 : meant.rbegin()->first;
  const bool two_values = meant.size() == 1 || (meant.size() == 2 && meant.begin()->first == 0);
  require<DataError>(
      !two_values || largest <= 0 || largest >= rule.threshold,
      "{}: holds {}{} alone, none of which reaches the threshold {}, so that everything would be background; {}", name,
      meant.size() == 2 ? "0 and " : "", largest, rule.threshold, remedy(counts, 2, option));
}

}  // namespace

std::int64_t LabelRule::classes() const {
  if (threshold != 0 || instances) return 2;
  std::int64_t highest = -1;
  for (const auto& [stored, number] : map) highest = std::max(highest, number);
  return highest + 1;
}

LabelRule parse_label_rule(const std::string& text) {
  const auto number = [&]<class T>(std::string_view part, T, const char* kind) {
    const std::optional<T> value = number_in<T>(part);
    require<UsageError>(value.has_value(), "label map '{}': '{}' is not a {}; {}", text, part, kind, forms);
    return *value;
  };
  LabelRule rule;
  if (text.empty()) return rule;
  if (text == "instances") {
    rule.instances = true;
    return rule;
  }
  for (const std::string_view cut : {"cut:", ">="})
    if (text.starts_with(cut)) {
      rule.threshold = number(std::string_view(text).substr(cut.size()), 0.0, "number");
      require<UsageError>(std::isfinite(rule.threshold) && rule.threshold > 0,
                          "label map '{}': the threshold must be above 0, else everything is foreground", text);
      return rule;
    }
  for (std::string_view rest = text;;) {
    const std::string_view pair = rest.substr(0, rest.find(','));
    const std::size_t colon = pair.find(':');
    require<UsageError>(colon != std::string_view::npos,
                        "label map '{}': expected value:class pairs such as 0:0,255:1, got '{}'", text, pair);
    const auto from = number(pair.substr(0, colon), std::int64_t(), "whole number"),
               to = number(pair.substr(colon + 1), std::int64_t(), "whole number");
    require<UsageError>(to >= 0 && to < 255, "label map '{}': class {} is not between 0 and 254", text, to);
    require<UsageError>(rule.map.emplace(from, to).second, "label map '{}': {} is mapped twice", text, from);
    if (pair.size() == rest.size()) break;
    rest.remove_prefix(pair.size() + 1);
  }
  rule.map.emplace(0, 0);
  return rule;
}

std::string how_to_give(const std::string& rule, const char* option) {
  if (option) return fmt::format("say so with {} {}, or repair the file", option, rule);
  return fmt::format(
      "say so with --set data.label_map={0} (sagcl-train), --label-map {0} (sagcl-data) or \"label_map\": \"{0}\" "
      "in dataset.json, or repair the file",
      rule);
}

std::map<double, std::int64_t> count_values(const Tensor& values, std::size_t most) {
  std::map<double, std::int64_t> counts;
  for_each_run(values, [&](double v, std::int64_t begin, std::int64_t end) {
    if (!std::isnan(v) && (counts.size() < most || counts.count(v))) counts[v] += end - begin;
  });
  return counts;
}

std::string proposed_rule(const std::map<double, std::int64_t>& counts, std::int64_t classes) {
  if (counts.empty() || classes != 2 || counts.begin()->first < 0) return "";
  const auto& [largest, of_largest] = *counts.rbegin();
  const bool zero = counts.begin()->first == 0,
             all_whole = std::all_of(counts.begin(), counts.end(), [](const auto&c) { return whole(c.first); });
  if (all_whole && largest > 0 && (counts.size() == 1 || (counts.size() == 2 && zero)))
    return fmt::format("0:0,{}:1", std::int64_t(largest));
  std::int64_t between = 0, ends = of_largest;
  for (const auto& [value, count] : counts)
    if (value == 0) ends += count;
    else if (value != largest) between += count;
  // Resampling blurs edges only: most voxels keep one of the two values. Whole numbers up to 255 were white before.
  const bool blurred = between < ends && (!all_whole || largest == 255 || largest == 65535);
  const bool probabilities = !all_whole && largest <= 1 + rounding;
  if (probabilities) return "cut:0.5";
  if (blurred && largest > 0) return fmt::format("cut:{}", all_whole ? std::ceil(largest / 2) : largest / 2);
  return all_whole ? "instances" : "";
}

Tensor apply_rule(const LabelRule& rule, const StoredLabel& stored, std::int64_t classes, const std::string& name,
                  Remarks* remarks, const char* option) {
  require<UsageError>(classes >= 2 && classes <= 255, "a segmentation has 2 to 255 classes, got {}", classes);
  const Tensor& values = stored.values;
  const std::map<double, std::int64_t> counts = count_values(values);
  const Classifier classify(rule, stored, classes, counts);
  require_threshold_fits(rule, classify, counts, name, option);
  Tensor out = Tensor::empty(values.shape(), Dtype::u8);
  std::uint8_t* to = out.data<std::uint8_t>();
  std::map<double, std::int64_t> wrong;
  std::int64_t wrong_count = 0, not_a_number = 0;
  for_each_run(values, [&](double v, std::int64_t begin, std::int64_t end) {
    const std::int64_t number = classify(v);
    if (number >= 0) std::fill(to + begin, to + end, std::uint8_t(number));
    else wrong_count += end - begin;
    if (std::isnan(v)) ++not_a_number;
    else if (number < 0 && (wrong.size() <= listed || wrong.count(v))) wrong[v] += end - begin;
  });
  require<DataError>(not_a_number == 0, "{}: the label has {} voxels that are not a number; write it again as integers",
                     name, not_a_number);
  if (wrong_count > 0)
    fail<DataError>("{}: {} of {} label voxels have values outside the {} classes 0 to {}: {}; {}", name, wrong_count,
                    values.size(), classes, classes - 1, list(wrong), remedy(counts, classes, option));
  if (remarks && classify.rounded())
    for (const auto& [value, count] : counts)
      if (!whole(value))
        remarks->push_back(fmt::format("the label's value {} is taken as {}: the header's scaling rounds", shown(value),
                                       std::round(value)));
  return out;
}

}  // namespace sagcl::datasets
