#pragma once
#include <cstdint>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// Connected components of a mask [H,W] or [D,H,W]: voxels that touch by a face, an edge or a corner belong together (8 or
/// 26 neighbours, skimage's default).
struct Components {
  Tensor labels;                    ///< i32 of the mask's shape: 0 outside, 1 … count in order of their first voxel
  std::vector<std::int64_t> sizes;  ///< voxels of component 1, 2, …
};
Components connected_components(const Tensor& mask);

/// The largest component, of equal ones the first, as u8; an empty mask stays empty.
Tensor largest_component(const Tensor& mask);

}  // namespace sagcl::semiagcl
