#pragma once
#include <filesystem>

#include "datasets/store.h"
#include "engine/extents.h"

namespace sagcl::datasets {

/// A synthetic organ: one ellipsoid cut across its longest axis into `classes` - 1 parts of different brightness, of random
/// size, place and brightness, in a background with a slow brightness ramp and noise. Everything runs on it without any
/// download, and its true shape is known.
struct PhantomSpec {
  engine::Extents extents = {{24, 32, 24}};  ///< D, H, W; D = 1 gives a plane
  std::int64_t classes = 3;                  ///< background included
  std::int64_t channels = 1;
  /// brightness of the first part above the background; each further part is half as much brighter again
  double contrast = 1.0;
  double noise = 0.3;  ///< standard deviation
  std::uint64_t seed = 0;
};

/// Phantom number `index`: an image that is not normalised, and its label. A pure function of (spec, index).
Sample phantom(const PhantomSpec& spec, std::int64_t index);

/// Writes a data set in the Decathlon layout: imagesTr (labelled), imagesUn (without labels), imagesTs with labelsTs,
/// dataset.json. The cases are phantom_000, phantom_001, ... in that order. Existing files of these names are replaced.
void write_phantoms(const std::filesystem::path& folder, const PhantomSpec& spec, std::int64_t labelled,
                    std::int64_t unlabelled, std::int64_t test);

}  // namespace sagcl::datasets
