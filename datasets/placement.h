#pragma once
#include <array>

#include "datasets/volume.h"
#include "engine/extents.h"
#include "engine/random.h"

namespace sagcl::datasets {

/// The weak augmentation: where a crop is taken and how it is turned. Both views of a sample share it, so patch i of one
/// view is the same place in the patient as patch i of the other.
struct WeakSpec {
  engine::Extents crop;  ///< D, H, W; a smaller volume is padded with zeros, half of it (rounded down) before
  std::array<bool, 3> flip = {false, false, false};  ///< axes D, H, W that are mirrored with probability 1/2 each
  bool quarter_turns = false;  ///< rotate by k * 90 degrees in the H-W plane, k uniform in 0..3; crop H must equal crop W
};

/// One draw of a WeakSpec.
struct Placement {
  engine::Extents start;  ///< of the crop in the padded volume
  std::array<bool, 3> flip = {false, false, false};
  int quarter_turns = 0;  ///< counter-clockwise with H downwards, before the flips
  bool operator==(const Placement&) const = default;
};

/// Draws the start uniformly over every position at which the crop fits, then the turns, then one coin per axis to be
/// flipped. ShapeError if quarter turns are asked for and the crop is not square.
Placement draw_placement(const WeakSpec& spec, const engine::Extents& volume, engine::Generator& random);

/// The crop of an image, f32 [D, H, W, C] -> [d, h, w, C], or of a segmentation, u8 [D, H, W] -> [d, h, w].
Tensor cut(const Tensor& volume, const engine::Extents& crop, const Placement& place);

}  // namespace sagcl::datasets
