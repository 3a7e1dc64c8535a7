#pragma once
#include <array>
#include <cstdint>
#include <vector>

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
  /// Rotation and scaling as in nnU-Net (Isensee et al., Nature Methods 2021), in voxels, whatever their spacing: with
  /// probability `free_share` by angles uniform in +-turn degrees, one about each axis, of a crop with D = 1 about D alone;
  /// with the same probability, drawn separately, by one factor for all axes, log-uniform in [1 / scale, scale].
  double turn = 0;
  double scale = 1;  ///< at least 1
  /// Elastic deformation, with the same probability, drawn separately: control points lie a fifth of the crop apart, each
  /// is moved along every axis (of a crop with D = 1 within the plane) by at most this share of their distance, uniformly,
  /// and cubic splines move what lies between. Up to 0.2 nothing folds.
  double elastic = 0;
  double free_share = 0.5;
};

/// One draw of a WeakSpec.
struct Placement {
  engine::Extents start;  ///< of the crop in the padded volume
  std::array<bool, 3> flip = {false, false, false};
  int quarter_turns = 0;  ///< counter-clockwise with H downwards, before the flips
  /// Degrees about D, H and W through the crop's centre, in this order, after the flips; about D as quarter_turns.
  std::array<double, 3> turn = {0, 0, 0};
  double scale = 1;              ///< what is shown grows by this factor about the crop's centre
  std::vector<float> bend = {};  ///< voxels along D, H, W by which each of the 5 x 5 x 5 control points is moved, or none
  bool operator==(const Placement&) const = default;
};

/// Draws the start uniformly over every position at which the crop fits, then the turns, then one coin per axis to be
/// flipped, then free turns, scale and deformation. ShapeError if quarter turns are asked for and the crop is not square.
Placement draw_placement(const WeakSpec& spec, const engine::Extents& volume, engine::Generator& random);

/// How often each class occurs in each plane of a label, u8 [D, H, W]: counted once, so that to find a voxel of a class
/// takes the reading of one plane.
struct ClassCounts {
  explicit ClassCounts(const Tensor& label);
  std::vector<std::array<std::int64_t, 256>> planes;
};

/// Moves the crop so that its centre is a voxel of a class, as far as the volume reaches: the class drawn uniformly among
/// the foreground classes of the label, u8 [D, H, W], the voxel uniformly among its own. A label of background alone moves
/// nothing.
void centre_on_foreground(Placement& place, const Tensor& label, const ClassCounts& counts, const engine::Extents& crop,
                          engine::Generator& random);

/// The crop of an image, f32 [D, H, W, C] -> [d, h, w, C], or of a segmentation, u8 [D, H, W] -> [d, h, w]. Voxels are
/// copied, zeros where there is no volume; turned, scaled or deformed the whole volume is interpolated, an image linearly, a
/// segmentation by its nearest voxel, and where there is no volume its outermost voxels go on: a frame of zeros, the mean
/// of a z-scored image, would look like tissue.
Tensor cut(const Tensor& volume, const engine::Extents& crop, const Placement& place);

}  // namespace sagcl::datasets
