#pragma once
#include <cstdint>
#include <span>

#include "engine/extents.h"

namespace sagcl::datasets {

/// The signed distance map of every class k >= 1 of a label, a target for regression (SASSNet: Li et al., "Shape-aware
/// semi-supervised 3D semantic segmentation for medical images", MICCAI 2020; DTC: Luo et al., "Semi-supervised medical
/// image segmentation through dual-task consistency", AAAI 2021). With d_in(v) the distance of voxel v inside the class
/// to the nearest voxel outside, d_out(v) of a voxel outside to the nearest inside, else 0, in voxels and within the
/// crop:
///   map(v) = d_out(v) / max d_out - d_in(v) / max d_in, but 0 on the inner boundary (inside, a face neighbour outside)
/// It lies in [-1, 1] and is negative inside. A class that is nowhere or everywhere has no boundary: its map is 0.
/// label [size], where -1 belongs to no class -> maps [size, classes - 1].
void signed_distances(std::span<const std::int32_t> label, const engine::Extents& size, std::int64_t classes, float* maps);

}  // namespace sagcl::datasets
