#pragma once
#include <cstdint>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Tensor;

// Nearest-neighbour resampling exactly as scipy.ndimage does it with order 0: the published ACDC numbers are made with it,
// quirks included, so equal inputs and equal metrics need equal index maps. −1 in a map stands for the constant 0.

/// Source index of each of m samples made from n: floor(o (n−1)/(m−1) + ½), the factor in double; −1 where rounding
/// lifts the coordinate above n−1 (which zeroes the last row when 256 becomes 216, for example).
std::vector<std::int64_t> zoom_index(std::int64_t n, std::int64_t m);

/// Output length of zooming n by a factor: round half to even, as numpy.
std::int64_t zoomed_length(std::int64_t n, double factor);

/// x [H,W], [D,H,W] or [D,H,W,C] of any dtype, with H and W brought to height and width.
Tensor zoom_nearest(const Tensor& x, std::int64_t height, std::int64_t width);

/// Rotation by `degrees` about the centre without a change of shape: flat source index of every voxel of [height, width].
/// The point p = R (o − c) + c with R = [[cos, sin], [−sin, cos]], rounded; −1 outside.
std::vector<std::int64_t> rotate_index(std::int64_t height, std::int64_t width, double degrees);

/// x [H,W] of any dtype, rotated.
Tensor rotate_nearest(const Tensor& x, double degrees);

}  // namespace sagcl::semiagcl
