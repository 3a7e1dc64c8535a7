#include "datasets/label_rule.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string_view>

#include "datasets/label_remedy.h"
#include "datasets/text.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::Dtype;
using engine::fail;
using engine::require;
using engine::UsageError;

namespace {

constexpr const char* forms = "write 0:0,255:1 (value:class), cut:128, or instances";

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
    return std::abs(entry.first - number) < label_rounding && numbers.insert(number).second;
  });
}

std::string list(const std::map<double, std::int64_t>& wrong) {
  std::string text;
  std::size_t n = 0;
  for (const auto& [value, count] : wrong) {
    if (++n > listed_values) return text + " and others";
    text += fmt::format("{}{} ({} times)", text.empty() ? "" : ", ", shown_value(value), count);
  }
  return text;
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
    if (rule_.ignored && std::round(stored) == double(*rule_.ignored) &&
        std::abs(stored - std::round(stored)) < label_rounding)
      return not_annotated;
    const double v = meant(stored);
    if (rule_.threshold != 0) return by_appearance_ && v < 0 ? -1 : v >= rule_.threshold ? 1 : 0;
    if (!is_whole(v)) return -1;
    if (rule_.instances) return v > 0 ? 1 : v == 0 ? 0 : -1;
    if (rule_.map.empty()) return std::int64_t(v) < classes_ ? std::int64_t(v) : -1;
    const auto found = rule_.map.find(std::int64_t(v));
    return found == rule_.map.end() || found->second >= classes_ ? -1 : found->second;
  }

  bool rounded() const { return rounded_; }

  /// The values a remedy is sought for: whole where they only were rounded, without the ignored one.
  std::map<double, std::int64_t> plain(const std::map<double, std::int64_t>& counts) const {
    std::map<double, std::int64_t> values;
    for (const auto& [stored, count] : counts)
      if ((*this)(stored) != not_annotated) values[rounded_ ? std::round(stored) : stored] += count;
    return values;
  }

 private:
  bool all_mapped(const std::map<double, std::int64_t>& counts, bool shown) const {
    return std::all_of(counts.begin(), counts.end(), [&](const auto& entry) {
      const double stored = entry.first;
      const bool there = !shown || (stored >= 0 && stored < double(shown_.size()));
      const double v = shown && there ? shown_[std::size_t(stored)] : stored;
      return there && is_whole(v) && rule_.map.count(std::int64_t(v)) > 0;
    });
  }

  const LabelRule& rule_;
  const std::vector<double>& shown_;
  std::int64_t classes_;
  bool rounded_, by_appearance_ = false;
};

/// What is no class in a label.
struct Outside {
  std::map<double, std::int64_t> values;  // with their counts; no more than are listed_values
  std::int64_t count = 0, first = -1, not_a_number = 0;
};

/// The classes of all voxels into `to`, unless it is null.
Outside classify_all(const Tensor& values, const Classifier& classify, std::uint8_t* to) {
  Outside outside;
  for_each_run(values, [&](double v, std::int64_t begin, std::int64_t end) {
    const std::int64_t number = classify(v);
    if (number >= 0 && to) std::fill(to + begin, to + end, std::uint8_t(number));
    if (std::isnan(v)) ++outside.not_a_number;
    if (number >= 0) return;
    if (outside.count == 0) outside.first = begin;
    outside.count += end - begin;
    if (!std::isnan(v) && (outside.values.size() <= listed_values || outside.values.count(v)))
      outside.values[v] += end - begin;
  });
  return outside;
}

/// `what`: that they have, as in "values outside the 2 classes 0 to 1".
void require_classes(const Outside& outside, const Tensor& values, const std::string& name, const std::string& what,
                     const std::function<std::string()>& to_do) {
  require<DataError>(outside.not_a_number == 0,
                     "{}: the label has {} voxels that are not a number; write it again as integers", name,
                     outside.not_a_number);
  if (outside.count == 0) return;
  const engine::Shape& s = values.shape();
  fail<DataError>("{}: {} of {} label voxels have {}: {}; the first at x {}, y {}, z {}; {}", name, outside.count,
                  values.size(), what, list(outside.values), outside.first % s[2], outside.first / s[2] % s[1],
                  outside.first / s[2] / s[1], to_do());
}

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
      meant.size() == 2 ? "0 and " : "", largest, rule.threshold, label_remedy(counts, 2, false, option));
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

std::map<double, std::int64_t> count_values(const Tensor& values, std::size_t most) {
  std::map<double, std::int64_t> counts;
  for_each_run(values, [&](double v, std::int64_t begin, std::int64_t end) {
    if (!std::isnan(v) && (counts.size() < most || counts.count(v))) counts[v] += end - begin;
  });
  return counts;
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
  require_classes(classify_all(values, classify, to), values, name,
                  fmt::format("values outside the {} classes 0 to {}", classes, classes - 1),
                  [&] { return label_remedy(classify.plain(counts), classes, !rule.map.empty(), option); });
  if (remarks && classify.rounded())
    for (const auto& [value, count] : counts)
      if (!is_whole(value))
        remarks->push_back(fmt::format("the label's value {} is taken as {}: the header's scaling rounds",
                                       shown_value(value), std::round(value)));
  return out;
}

std::int64_t highest_class(const StoredLabel& stored, std::optional<std::int64_t> ignored, std::int64_t classes,
                           const std::string& name) {
  LabelRule identity;
  identity.ignored = ignored;
  const std::map<double, std::int64_t> counts = count_values(stored.values);
  const Classifier classify(identity, stored, classes, counts);
  require_classes(classify_all(stored.values, classify, nullptr), stored.values, name,
                  fmt::format("values that are no class (without a dataset.json whole numbers 0 to {} are)", classes - 1),
                  [&] { return label_remedy(classify.plain(counts), 0, false, nullptr); });
  std::int64_t highest = 0;
  for (const auto& [value, count] : counts)
    if (const std::int64_t number = classify(value); number != not_annotated) highest = std::max(highest, number);
  return highest;
}

}  // namespace sagcl::datasets
