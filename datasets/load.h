#pragma once
#include <optional>

#include "datasets/layouts/layouts.h"
#include "datasets/volume.h"

namespace sagcl::datasets {

/// Who expects the channels of an image, and whose options help where it cannot be used.
enum class Reader { data_set, prediction };

/// Reads the image of a case, f32 [D, H, W, channels]: one file per channel, or one file with all of them. DataError if a
/// file is unreadable, has other extents than the first or lies elsewhere (by more than half a voxel at a corner), another
/// number of channels than `channels`, or voxels that are not finite (with their number, the place of the first and the
/// remedy), unless `instead` is to replace these. With `turn`, a channel that fills the first one's place with its axes
/// growing to other sides is turned to lie as that does, which is remarked. Remarks begin with the file's name.
Image load_image(const Case& one, std::int64_t channels, std::optional<float> instead = {}, Reader reader = Reader::data_set,
                 bool turn = false);

/// Reads the label of a case, u8 [D, H, W] with values below `classes` or not_annotated. `turn`: as load_image, onto the
/// image. DataError as as_classes; UsageError for a case without a label.
Label load_label(const Case& one, const Image& image, const LabelRule& rule, std::int64_t classes, bool turn = false);

/// Stored values `name` as classes of an image of extents [D, H, W, ...] in this place. DataError if its extents are not
/// those of the image, if its voxels lie elsewhere in the patient (where both say where: by more than half a voxel at a
/// corner of the volume), or as apply_rule.
Label as_classes(StoredLabel stored, const std::string& name, const engine::Shape& extents, const Geometry& place,
                 const std::string& image_name, const LabelRule& rule, std::int64_t classes, const char* option = nullptr);

}  // namespace sagcl::datasets
