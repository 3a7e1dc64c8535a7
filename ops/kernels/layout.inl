#pragma once
// Moving elements. What they mean does not matter here, only how many bytes they have.
#include "ops/backend.h"

namespace sagcl::ops::kernels {

using engine::join;
using engine::split;

/// Calls f with a type that is as wide as the dtype's elements.
template <class F>
void visit_width(engine::Dtype d, F&& f) {
  switch (engine::bytes_of(d)) {
    case 1: return f(engine::Type<std::uint8_t>());
    case 2: return f(engine::Type<std::uint16_t>());
    case 4: return f(engine::Type<std::uint32_t>());
    default: return f(engine::Type<std::uint64_t>());
  }
}

/// Row r runs over the first four axes of the block, c over the last.
template <class T>
struct CopyBlock {
  BlockCopy b;
  const T* x;
  T* y;
  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    std::int64_t position[4];
    for (int a = 3; a > 0; --a) position[a] = r % I(b.extent[a]), r /= I(b.extent[a]);
    position[0] = r;
    std::int64_t from = 0, to = 0;
    for (int a = 0; a < 4; ++a) {
      from = (from + b.x_begin[a] + position[a]) * b.x_shape[a + 1];
      to = (to + b.y_begin[a] + position[a]) * b.y_shape[a + 1];
    }
    y[to + b.y_begin[4] + c] = x[from + b.x_begin[4] + c];
  }
};

template <class Launch>
void copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) {
  visit_width(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t rows = block.extent[0] * block.extent[1] * block.extent[2] * block.extent[3];
    Launch::for_rows(rows, block.extent[4],
                     CopyBlock<T>{block, static_cast<const T*>(x.bytes_begin()), static_cast<T*>(y.bytes_begin())});
  });
}

/// Row r is a voxel of the image, c its channel; a patch is a contiguous image of its own.
template <class T>
struct Patches {
  Extents image, patch, grid;
  std::int64_t C;
  bool inverse;
  const T* x;
  T* y;
  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    Extents p, cell, inside;
    const std::int64_t n = split(r, image, p);
    for (int a = 0; a < 3; ++a) cell[a] = I(p[a]) / I(patch[a]), inside[a] = p[a] - cell[a] * patch[a];
    const std::int64_t cut = join(join(n, cell, grid), inside, patch);
    if (inverse) y[r * C + c] = x[cut * C + c];
    else y[cut * C + c] = x[r * C + c];
  }
};

template <class Launch>
void patches(const Extents& grid, bool inverse, const Tensor& x, Tensor& y) {
  const engine::Shape& whole = inverse ? y.shape() : x.shape();
  Extents image, patch;
  for (int a = 0; a < 3; ++a) image[a] = whole[a + 1], patch[a] = image[a] / grid[a];
  visit_width(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(whole[0] * image.volume(), whole[4],
                     Patches<T>{image, patch, grid, whole[4], inverse, static_cast<const T*>(x.bytes_begin()),
                                static_cast<T*>(y.bytes_begin())});
  });
}

}  // namespace sagcl::ops::kernels
