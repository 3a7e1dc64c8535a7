#pragma once
#include <cstdint>
#include <string>

#include "engine/host_device.h"

namespace sagcl::engine {

/// Depth, height, width. A plain value that kernels can index: e[0] is depth.
struct Extents {
  std::int64_t e[3] = {1, 1, 1};
  SAGCL_BOTH std::int64_t& operator[](int a) { return e[a]; }
  SAGCL_BOTH std::int64_t operator[](int a) const { return e[a]; }
  SAGCL_BOTH std::int64_t volume() const { return e[0] * e[1] * e[2]; }
  bool operator==(const Extents&) const = default;
};

inline std::string to_string(const Extents& e) {
  return std::to_string(e[0]) + "x" + std::to_string(e[1]) + "x" + std::to_string(e[2]);
}

/// The position of a voxel and its image: flat index i of [N, D, H, W] -> p, and n is returned. It divides in the type of i:
/// on a GPU 64-bit division is slow.
template <class I>
SAGCL_BOTH inline std::int64_t split(I i, const Extents& size, Extents& p) {
  const I d = I(size[0]), h = I(size[1]), w = I(size[2]);
  p[2] = i % w, i /= w;
  p[1] = i % h, i /= h;
  p[0] = i % d;
  return i / d;
}

/// The flat index of voxel p of image n in [N, D, H, W].
SAGCL_BOTH inline std::int64_t join(std::int64_t n, const Extents& p, const Extents& size) {
  return ((n * size[0] + p[0]) * size[1] + p[1]) * size[2] + p[2];
}

}  // namespace sagcl::engine
