#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/extents.h"

namespace sagcl::datasets {

using engine::Extents;

/// Squared Euclidean distance of every voxel to the nearest marked one, exact, in the units of `spacing`, in linear time:
/// one axis by two sweeps, the others by lower envelopes of parabolas (Felzenszwalb & Huttenlocher, "Distance transforms
/// of sampled functions", 2012). Infinite everywhere when nothing is marked. marked [size], non-zero = marked.
std::vector<double> squared_distance(std::span<const std::uint8_t> marked, const Extents& size, const double spacing[3]);

}  // namespace sagcl::datasets
