#pragma once
#include <functional>
#include <optional>
#include <string>

#include "datasets/layouts/layouts.h"

namespace sagcl::datasets {

struct ConvertOptions {
  bool fix_affine = false;                ///< axes that are not at right angles become so (affine.h, without_shear)
  std::optional<float> replace_nan = {};  ///< instead of voxels that are NaN or infinite
  /// That voxels are turned to (orientation.h), "RAS"; empty: they stay. Files of a case that lie otherwise in one place, as
  /// a label whose image was turned without it, are turned each by its own header.
  std::string orientation = {};
};

/// What converting changed in a case; empty if nothing but the format.
using ConvertedCase = std::function<void(const Case&, const std::string& changes)>;

/// Writes a data set as NIfTI files in nnU-Net's layout into `out`, which must not exist or be empty: images f32, a file per
/// channel, labels u8 as classes, dataset.json with patients and the validation part. Voxels and geometry stay as they are,
/// NIfTI headers bit for bit, unless one contradicts itself (Image::remarks): then it is written anew. UsageError if `out`
/// holds something; what load_image and load_label throw.
void convert_dataset(const Dataset& data, const std::filesystem::path& out, const ConvertOptions& options,
                     const ConvertedCase& done = {});

}  // namespace sagcl::datasets
