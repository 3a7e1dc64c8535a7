#pragma once
#include <array>
#include <cstdint>

#include "engine/extents.h"

namespace sagcl::datasets {

/// D, H, W of a point in a volume, in voxels; the centres of voxels are whole numbers.
using Point = std::array<double, 3>;

/// Points in rows: number p = (d, h, w) lies at first + d step[0] + h step[1] + w step[2].
struct Grid {
  Point first = {};
  std::array<Point, 3> step = {};
};

/// So many points of a grid, each moved from there by its D, H, W of `moves` [d, h, w, 3], if there are any.
struct Points {
  Grid grid;
  engine::Extents extents;
  const float* moves = nullptr;
};

/// Sets values [points, channels] to those of a volume [size, channels] at the points. Beyond the volume its outermost
/// voxels go on.
void sample_linear(const float* volume, const engine::Extents& size, std::int64_t channels, const Points& points,
                   float* values);
/// Likewise to the value of the nearest voxel, for classes.
void sample_nearest(const std::uint8_t* volume, const engine::Extents& size, const Points& points, std::uint8_t* values);

}  // namespace sagcl::datasets
