#pragma once
#include <cstdint>

#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// Of the voxels of class `k` in a label, u8 [H,W] or [D,H,W] on the CPU, only those of the largest connected component
/// stay; the others become background. Voxels that touch by a face, an edge or a corner belong together (8 or 26 neighbours,
/// skimage's default); of equal components the first stays.
void keep_largest_component(Tensor& label, std::uint8_t k);

/// Likewise components of fewer than `least` voxels become background.
void drop_small_components(Tensor& label, std::uint8_t k, std::int64_t least);

}  // namespace sagcl::semiagcl
