#pragma once
#include <map>
#include <string>
#include <vector>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// How stored label values become classes 0 .. K-1. With a threshold: value >= threshold is class 1, else 0 (for masks with
/// resampled edges). Else with a map: listed values only, e.g. {0: 0, 255: 1}. Else the values are the classes.
struct LabelRule {
  std::int64_t threshold = 0;                ///< 0 means none
  std::map<std::int64_t, std::int64_t> map;  ///< stored value -> class; empty means identity

  bool operator==(const LabelRule&) const = default;
};

/// Applies the rule to stored values, f32 or i32 of any shape, and gives u8 of the same shape. A value that is not a whole
/// number, not in the map, or not one of the `classes` classes is a DataError that lists the offending values, how often
/// each occurs, and the map that would accept them.
Tensor apply_rule(const LabelRule& rule, const Tensor& values, std::int64_t classes, const std::string& name);

}  // namespace sagcl::datasets
