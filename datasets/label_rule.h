#pragma once
#include <map>
#include <string>
#include <vector>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// How stored label values become classes 0 .. K-1. With a threshold: value >= threshold is class 1, else 0 (for masks with
/// resampled edges). Else for instances: every value above 0 is class 1 (each gland has a number of its own). Else with a
/// map: listed values only, e.g. {0: 0, 255: 1}. Else the values are the classes.
struct LabelRule {
  std::int64_t threshold = 0;                ///< 0 means none
  std::map<std::int64_t, std::int64_t> map;  ///< stored value -> class; empty means identity
  bool instances = false;

  bool operator==(const LabelRule&) const = default;
  /// 1 + the largest class that the rule gives; 0 if the values are the classes.
  std::int64_t classes() const;
};

/// A rule as it is written in a configuration: "0:0,255:1", ">=128", "instances", or "" for the identity. 0 stays 0 unless it is
/// listed. UsageError that shows the forms otherwise.
LabelRule parse_label_rule(const std::string& text);

/// Applies the rule to stored values, f32 or i32 of any shape, and gives u8 of the same shape. A value that is not a whole
/// number, not in the map, or not one of the `classes` classes is a DataError that lists the offending values, how often
/// each occurs, and the rule that accepts them, for --set data.label_map=RULE and dataset.json.
Tensor apply_rule(const LabelRule& rule, const Tensor& values, std::int64_t classes, const std::string& name);

/// The rule that would accept these stored values (with their counts) as `classes` classes: 0 and one other value are
/// background and foreground; values that fade between 0 and a frequent largest one are a resampled mask, to be cut in the
/// middle; many whole numbers are instances. Empty if none of these fits.
std::string proposed_rule(const std::map<double, std::int64_t>& counts, std::int64_t classes);

}  // namespace sagcl::datasets
