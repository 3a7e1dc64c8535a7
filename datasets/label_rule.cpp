#include "datasets/label_rule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace sagcl::datasets {

using engine::DataError;
using engine::Dtype;
using engine::fail;
using engine::require;
using engine::UsageError;

namespace {

constexpr std::size_t listed = 8;               // offending values named in an error
constexpr std::size_t counted_values = 100000;  // different values that are told apart

bool whole(double v) { return v == std::floor(v) && std::abs(v) <= 1e9; }

std::string list(const std::map<double, std::int64_t>& wrong) {
  std::string text;
  std::size_t n = 0;
  for (const auto& [value, count] : wrong) {
    if (++n > listed) return text + " and others";
    text += fmt::format("{}{} ({} times)", text.empty() ? "" : ", ", value, count);
  }
  return text;
}

std::string remedy(const std::map<double, std::int64_t>& counts, std::int64_t classes) {
  const std::string rule = proposed_rule(counts, classes);
  if (rule.empty()) return "say which class each value means, e.g. --set data.label_map=0:0,5:1, or repair the file";
  const char* reason = rule[0] == '>' ? "it looks like a resampled or anti-aliased mask, which can be cut in the middle"
                       : rule == "instances" ? "it looks like one number per instance"
                                             : "it looks like a mask of two values";
  return fmt::format("{}: --set data.label_map={} (or in dataset.json \"label_map\": \"{}\"), or repair the file", reason,
                     rule, rule);
}

}  // namespace

std::int64_t LabelRule::classes() const {
  if (threshold != 0 || instances) return 2;
  std::int64_t highest = -1;
  for (const auto& [stored, number] : map) highest = std::max(highest, number);
  return highest + 1;
}

LabelRule parse_label_rule(const std::string& text) {
  const auto number = [&](std::string_view part) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    require<UsageError>(!part.empty() && error == std::errc() && end == part.data() + part.size(),
                        "label map '{}': '{}' is not a whole number; write 0:0,255:1 (value:class), >=128, or instances",
                        text, part);
    return value;
  };
  LabelRule rule;
  if (text.empty()) return rule;
  if (text == "instances") {
    rule.instances = true;
    return rule;
  }
  if (text.starts_with(">=")) {
    rule.threshold = number(std::string_view(text).substr(2));
    require<UsageError>(rule.threshold != 0, "label map '{}': a threshold of 0 makes everything foreground", text);
    return rule;
  }
  for (std::string_view rest = text;;) {
    const std::string_view pair = rest.substr(0, rest.find(','));
    const std::size_t colon = pair.find(':');
    require<UsageError>(colon != std::string_view::npos,
                        "label map '{}': expected value:class pairs such as 0:0,255:1, got '{}'", text, pair);
    const std::int64_t from = number(pair.substr(0, colon)), to = number(pair.substr(colon + 1));
    require<UsageError>(to >= 0 && to < 255, "label map '{}': class {} is not between 0 and 254", text, to);
    require<UsageError>(rule.map.emplace(from, to).second, "label map '{}': {} is mapped twice", text, from);
    if (pair.size() == rest.size()) break;
    rest.remove_prefix(pair.size() + 1);
  }
  rule.map.emplace(0, 0);
  return rule;
}

std::string proposed_rule(const std::map<double, std::int64_t>& counts, std::int64_t classes) {
  if (counts.empty() || classes != 2 || counts.begin()->first < 0) return "";
  const auto& [largest, of_largest] = *counts.rbegin();
  const bool zero = counts.begin()->first == 0,
             all_whole = std::all_of(counts.begin(), counts.end(), [](const auto&c) { return whole(c.first); });
  if (all_whole && counts.size() == 2 && zero) return fmt::format("0:0,{}:1", std::int64_t(largest));
  if (all_whole && counts.size() == 1 && !zero) return fmt::format("0:0,{}:1", std::int64_t(largest));
  std::int64_t between = 0, ends = of_largest;
  for (const auto& [value, count] : counts)
    if (value == 0) ends += count;
    else if (value != largest) between += count;
  // Resampling blurs edges only: most voxels keep one of the two values. Whole numbers up to 255 were white before.
  if (largest >= 1 && between < ends && (!all_whole || largest == 255 || largest == 65535))
    return fmt::format(">={}", std::int64_t(std::ceil(largest / 2)));
  return all_whole ? "instances" : "";
}

Tensor apply_rule(const LabelRule& rule, const Tensor& values, std::int64_t classes, const std::string& name) {
  require<UsageError>(classes >= 2 && classes <= 255, "a segmentation has 2 to 255 classes, got {}", classes);
  require<engine::DtypeError>(values.dtype() == Dtype::f32 || values.dtype() == Dtype::i32,
                              "label values are f32 or i32, got {}", values.dtype());
  Tensor out = Tensor::empty(values.shape(), Dtype::u8);
  std::uint8_t* to = out.data<std::uint8_t>();
  std::map<double, std::int64_t> counts, wrong;  // what is proposed depends on the good values too
  std::int64_t wrong_count = 0, not_a_number = 0;
  const auto classify = [&](double v) -> std::int64_t {
    if (std::isnan(v)) return -1;
    if (rule.threshold != 0) return v >= double(rule.threshold) ? 1 : 0;
    if (!whole(v)) return -1;
    if (rule.instances) return v > 0 ? 1 : v == 0 ? 0 : -1;
    if (rule.map.empty()) return std::int64_t(v) < classes ? std::int64_t(v) : -1;
    const auto found = rule.map.find(std::int64_t(v));
    return found == rule.map.end() || found->second >= classes ? -1 : found->second;
  };
  const auto run = [&](const auto* from) {
    std::int64_t begin = 0;  // labels are mostly runs of one value
    while (begin < values.size()) {
      std::int64_t end = begin + 1;
      while (end < values.size() && from[end] == from[begin]) ++end;
      const double v = double(from[begin]);
      const std::int64_t number = classify(v);
      if (number >= 0) std::fill(to + begin, to + end, std::uint8_t(number));
      else wrong_count += end - begin;
      if (std::isnan(v)) {
        ++not_a_number, ++begin;
        continue;
      }
      if (counts.size() < counted_values || counts.count(v)) counts[v] += end - begin;
      if (number < 0 && (wrong.size() <= listed || wrong.count(v))) wrong[v] += end - begin;
      begin = end;
    }
  };
  if (values.dtype() == Dtype::f32) run(values.data<float>());
  else run(values.data<std::int32_t>());
  require<DataError>(not_a_number == 0, "{}: the label has {} voxels that are not a number; write it again as integers",
                     name, not_a_number);
  if (wrong_count > 0)
    fail<DataError>("{}: {} of {} label voxels have values outside the {} classes 0 to {}: {}; {}", name, wrong_count,
                    values.size(), classes, classes - 1, list(wrong), remedy(counts, classes));
  return out;
}

}  // namespace sagcl::datasets
