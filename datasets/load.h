#pragma once
#include <optional>

#include "datasets/layouts.h"
#include "datasets/volume.h"

namespace sagcl::datasets {

/// Reads the image of a case, f32 [D, H, W, channels]: one file per channel, or one file with all of them. DataError if a
/// file is unreadable, has other extents than the first, another number of channels than `channels`, or voxels that
/// are not finite (with their number, the place of the first and the remedy), unless `instead` is to replace these.
Image load_image(const Case& one, std::int64_t channels, std::optional<float> instead = {});

/// Reads the label of a case, u8 [D, H, W] with values below `classes`. DataError if its extents are not those of the image,
/// if its voxels lie elsewhere in the patient (affines that differ by more than half a voxel at a corner of the volume), or
/// as apply_rule. UsageError for a case without a label.
Label load_label(const Case& one, const Image& image, const LabelRule& rule, std::int64_t classes);

}  // namespace sagcl::datasets
