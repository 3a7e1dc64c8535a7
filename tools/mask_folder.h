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

/// Files of a folder that hold images or masks (datasets/formats.h), by name without ending. Hidden files and all others are
/// passed over; two files of one name, e.g. a.nii and a.png, are a DataError, an unreadable folder an IoError.
std::map<std::string, std::filesystem::path> image_files(const std::filesystem::path& folder);

struct MaskPair {
  std::string id;
  std::filesystem::path prediction, reference;
  datasets::Axes axes = datasets::Axes::zyx;               ///< of the reference
  std::optional<datasets::LabelRule> reference_rule = {};  ///< of a data set's label; else one rule for both
};

/// Pairs the masks of two folders by name. DataError that lists what has no partner and says what to do, MissingInput
/// if a folder has no masks at all. `references` may be a data set in a known layout: then its labels of these names count, all
/// of its test part or, without one, those that were predicted.
std::vector<MaskPair> match_masks(const std::filesystem::path& predictions, const std::filesystem::path& references);

/// Two masks of one place, u8 [D, H, W] with classes below `classes`, and the voxel size of the reference along D, H, W.
struct LoadedPair {
  Tensor prediction, reference;
  std::array<double, 3> spacing = {1, 1, 1};
};

/// Reads and checks a pair. `rule` says what stored values mean; a prediction that holds classes already is taken as it is.
/// DataError if extents differ, the masks lie elsewhere in the patient, or values are not classes; the text names both files and
/// the remedy.
LoadedPair load_pair(const MaskPair& pair, const datasets::LabelRule& rule, std::int64_t classes);

/// 1 + the largest class that the rule gives, or without a rule that any of the masks holds, and at least 2. DataError for a
/// value of 64 or more, which is what a mask stored as 0 and 255 looks like, with the map that reads it.
std::int64_t count_classes(const std::vector<MaskPair>& pairs, const datasets::LabelRule& rule);

}  // namespace sagcl::tools
