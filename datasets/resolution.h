#pragma once
#include <cstdint>

#include "engine/extents.h"

namespace sagcl::datasets {

/// Smooths f32 [size, channels] in place by a Gaussian of `sigma` voxels along each axis, cut off at 3 sigma. Beyond the
/// border its voxels go on.
void blur(float* x, const engine::Extents& size, std::int64_t channels, double sigma);

/// Makes f32 [size, channels] what it would be if it had been taken with `zoom` <= 1 times as many voxels on each axis (at
/// least one) and enlarged: reduced to nearest voxels, then interpolated linearly between the centres of the large voxels.
void lower_resolution(float* x, const engine::Extents& size, std::int64_t channels, double zoom);

}  // namespace sagcl::datasets
