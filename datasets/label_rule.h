#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// How stored label values become classes 0 .. K-1. With a threshold: value >= threshold is class 1, else 0 (for masks with
/// resampled edges). Else for instances: every value above 0 is class 1 (each gland has a number of its own). Else with a
/// map: listed values only, e.g. {0: 0, 255: 1}. Else the values are the classes.
struct LabelRule {
  double threshold = 0;                      ///< 0 means none
  std::map<std::int64_t, std::int64_t> map;  ///< stored value -> class; empty means identity
  bool instances = false;
  std::optional<std::int64_t> ignored = {};  ///< the stored value of voxels that nobody annotated (nnU-Net's "ignore")

  bool operator==(const LabelRule&) const = default;
  /// 1 + the largest class that the rule gives; 0 if the values are the classes.
  std::int64_t classes() const;
};

/// A rule as it is written in a configuration: "0:0,255:1", "cut:128" (or ">=128", which shells take for something else),
/// "cut:0.5", "instances", or "" for the identity. 0 stays 0 unless it is listed. UsageError that shows the forms otherwise.
LabelRule parse_label_rule(const std::string& text);

/// Label values as a file holds them, f32 or i32 [D, H, W], before any rule.
struct StoredLabel {
  Tensor values;
  Geometry geometry = {};
  /// What a viewer shows for the stored value i, 0 (black) to 255 (white), -1 for a colour: of PNG files with a palette or
  /// other than 8 bits. Empty where values are shown as they are.
  std::vector<double> shown = {};
  Remarks remarks = {};
};

/// Applies the rule to stored values and gives u8 of the same shape; `not_annotated` for the rule's ignored value. A
/// threshold cuts what is shown; a map that knows the shown values but not the stored ones reads those. Values that differ
/// from whole numbers by less than 0.01, each number by one amount, are these numbers: a header's scaling rounds so; this is
/// remarked. A value that is no class is a DataError that lists the offending values, how often each occurs, where the first
/// lies, and the remedy; so is a mask of two values that both lie below the threshold. `option` is where the program at hand
/// takes a rule from.
Tensor apply_rule(const LabelRule& rule, const StoredLabel& stored, std::int64_t classes, const std::string& name,
                  Remarks* remarks = nullptr, const char* option = nullptr);

/// The largest class of a label whose values are the classes, where nothing says how many there are. DataError as apply_rule
/// for values that are not whole numbers from 0 to `classes` - 1.
std::int64_t highest_class(const StoredLabel& stored, std::optional<std::int64_t> ignored, std::int64_t classes,
                           const std::string& name);

/// How often each value occurs; NaN is left out. At most `most` different values are told apart.
std::map<double, std::int64_t> count_values(const Tensor& values, std::size_t most = 100000);

}  // namespace sagcl::datasets
