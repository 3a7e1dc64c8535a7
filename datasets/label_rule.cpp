#include "datasets/label_rule.h"

#include <cmath>
#include <limits>

namespace sagcl::datasets {

using engine::DataError;
using engine::Dtype;
using engine::fail;
using engine::require;

namespace {

constexpr std::size_t listed = 8;  // offending values named in an error

std::string list(const std::map<double, std::int64_t>& wrong) {
  std::string text;
  for (const auto& [value, count] : wrong) text += fmt::format("{}{} ({} times)", text.empty() ? "" : ", ", value, count);
  return text;
}

std::string proposal(const std::map<double, std::int64_t>& wrong, bool more) {
  if (more)
    return "it looks like a resampled or anti-aliased mask: give a label threshold (label_threshold in dataset.json), or "
           "repair the file";
  std::string pairs;
  for (const auto& [value, count] : wrong) pairs += fmt::format("{}\"{}\": ?", pairs.empty() ? "" : ", ", value);
  return "say which class they mean with label_map {" + pairs + "} in dataset.json, or repair the file";
}

}  // namespace

Tensor apply_rule(const LabelRule& rule, const Tensor& values, std::int64_t classes, const std::string& name) {
  require<engine::UsageError>(classes >= 2 && classes <= 255, "a segmentation has 2 to 255 classes, got {}", classes);
  require<engine::DtypeError>(values.dtype() == Dtype::f32 || values.dtype() == Dtype::i32,
                              "label values are f32 or i32, got {}", values.dtype());
  Tensor out = Tensor::empty(values.shape(), Dtype::u8);
  std::uint8_t* to = out.data<std::uint8_t>();
  std::map<double, std::int64_t> wrong;  // a few of them, with counts
  std::int64_t wrong_count = 0, not_a_number = 0;
  bool more = false;
  const auto classify = [&](double v) -> std::int64_t {
    if (std::isnan(v)) return -1;
    if (rule.threshold != 0) return v >= double(rule.threshold) ? 1 : 0;
    if (v != std::floor(v) || std::abs(v) > 1e9) return -1;
    if (rule.map.empty()) return std::int64_t(v) < classes ? std::int64_t(v) : -1;
    const auto found = rule.map.find(std::int64_t(v));
    return found == rule.map.end() || found->second >= classes ? -1 : found->second;
  };
  double last = std::numeric_limits<double>::quiet_NaN();
  std::int64_t last_class = -1;
  const auto run = [&](const auto* from) {
    for (std::int64_t i = 0; i < values.size(); ++i) {
      const double v = double(from[i]);
      if (v != last) last = v, last_class = classify(v);  // labels are mostly runs of one value
      if (last_class >= 0) {
        to[i] = std::uint8_t(last_class);
        continue;
      }
      ++wrong_count;
      if (std::isnan(v)) ++not_a_number;
      else if (wrong.count(v) || wrong.size() < listed) ++wrong[v];
      else more = true;
    }
  };
  if (values.dtype() == Dtype::f32) run(values.data<float>());
  else run(values.data<std::int32_t>());
  require<DataError>(not_a_number == 0, "{}: the label has {} voxels that are not a number; write it again as integers",
                     name, not_a_number);
  if (wrong_count > 0)
    fail<DataError>("{}: {} of {} label voxels have values outside the {} classes 0 to {}: {}{}; {}", name, wrong_count,
                    values.size(), classes, classes - 1, list(wrong), more ? " and others" : "", proposal(wrong, more));
  return out;
}

}  // namespace sagcl::datasets
