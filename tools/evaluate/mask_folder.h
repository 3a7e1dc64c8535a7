#pragma once
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/label_rule.h"
#include "engine/tensor.h"

namespace sagcl::tools {

using engine::Tensor;

/// Files of a folder that hold images or masks (datasets/formats/formats.h), by name without ending. What is passed over is
/// said; two files of one name, e.g. a.nii and a.png, or a link that leads nowhere are a DataError, an unreadable folder an
/// IoError.
std::map<std::string, std::filesystem::path> image_files(const std::filesystem::path& folder);

struct MaskPair {
  std::string id;
  std::filesystem::path prediction, reference;
  datasets::Axes axes = datasets::Axes::zyx;  ///< of the reference
};

/// The masks to compare, and what their stored values mean.
struct MaskPairs {
  std::vector<MaskPair> pairs;
  std::vector<std::string> names;  ///< of the classes, background first; empty where nobody gives them
  datasets::LabelRule prediction, reference;
};

/// How values become classes, as the command line says it.
struct MaskRules {
  std::optional<datasets::LabelRule> map;          ///< of both sides; instead of a data set's own rule
  std::optional<datasets::LabelRule> predictions;  ///< of the predictions alone
};

/// Pairs the masks of two folders by name. DataError that lists what has no partner and says what to do, MissingInput
/// if a folder has no masks at all. `references` may be a data set in a known layout: then its labels of these names count,
/// all of its test part as soon as one of it was predicted; its label rule and class names are used, unless a map
/// says otherwise.
MaskPairs match_masks(const std::filesystem::path& predictions, const std::filesystem::path& references,
                      const MaskRules& rules);

/// 1 + the largest class that a rule gives, or without one that any of the masks holds, and at least 2. DataError for a
/// value of 64 or more, which is what a mask stored as 0 and 255 looks like, with what reads it.
std::int64_t count_classes(const MaskPairs& masks);

/// A side whose files hold classes already is taken as it is: where a value is no class, its rule stays; where a value is
/// unknown to the rule, it goes. Looks at all files of a side that has a rule. UsageError where the predictions could be
/// read both ways, with different results.
void settle_rules(MaskPairs& masks, const MaskRules& rules, std::int64_t classes);

/// Two masks of one place, u8 [D, H, W] with classes below `classes` (the reference's may be not_annotated), and the voxel
/// size of the reference along D, H, W, if its file says it.
struct LoadedPair {
  Tensor prediction, reference;
  std::array<double, 3> spacing = {1, 1, 1};
  bool measured = false;
};

/// Reads and checks a pair. DataError if extents differ, the masks lie elsewhere in the patient, or values are not classes;
/// the text names both files and the remedy. What readers remark is said.
LoadedPair load_pair(const MaskPairs& masks, const MaskPair& pair, std::int64_t classes);

}  // namespace sagcl::tools
