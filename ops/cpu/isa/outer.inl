#pragma once
#include "ops/cpu/isa/vector.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu::SAGCL_ISA {

/// Rows of a register tile that is B vectors wide.
constexpr int outer_height(int b) { return lanes == 16 ? (b == 1 ? 16 : 8) : (b == 1 ? 8 : b == 2 ? 6 : 4); }

template <int T, int B>
void outer_tile(const OuterSum& o, int64_t row) {
  Vec acc[T][B];
#pragma GCC unroll 16
  for (int i = 0; i < T; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < B; ++j) acc[i][j] = zero();
  const int64_t a_stride = o.a_stride, g_stride = o.g_stride;
  for (int64_t n = 0; n < o.line_count; ++n) {
    const OuterLine& line = o.lines[n];
    const float* g = line.g + row;
    const float* next = line.next;
    const float* a[B];
#pragma GCC unroll 4
    for (int j = 0; j < B; ++j) a[j] = line.a[j];
    for (int64_t t = line.count; t > 0; --t) {
      Vec v[B];
      fetch(next);
      next += 16;
#pragma GCC unroll 4
      for (int j = 0; j < B; ++j) v[j] = load(a[j]), a[j] += a_stride;
#pragma GCC unroll 16
      for (int i = 0; i < T; ++i) {
        const float s = g[i];
#pragma GCC unroll 4
        for (int j = 0; j < B; ++j) acc[i][j] += s * v[j];
      }
      g += g_stride;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < T; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < B; ++j) {
      float* d = o.d[j] + (row + i) * o.d_stride;
      store(d, load(d) + acc[i][j]);
    }
}

using OuterFunction = void (*)(const OuterSum&, int64_t);
template <int B, int... T>
struct OuterTiles {
  static constexpr OuterFunction of[] = {nullptr, outer_tile<T, B>...};
};
#if SAGCL_LANES == 16
using Outer1 = OuterTiles<1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16>;
using Outer2 = OuterTiles<2, 1, 2, 3, 4, 5, 6, 7, 8>;
using Outer3 = OuterTiles<3, 1, 2, 3, 4, 5, 6, 7, 8>;
#else
using Outer1 = OuterTiles<1, 1, 2, 3, 4, 5, 6, 7, 8>;
using Outer2 = OuterTiles<2, 1, 2, 3, 4, 5, 6>;
using Outer3 = OuterTiles<3, 1, 2, 3, 4>;
#endif

inline void outer_sum(const OuterSum& o) {
  const int64_t height = outer_height(o.vectors), tiles = (o.rows + height - 1) / height;
  const OuterFunction* const tile = o.vectors == 1 ? Outer1::of : o.vectors == 2 ? Outer2::of : Outer3::of;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row = o.rows * t / tiles;
    tile[o.rows * (t + 1) / tiles - row](o, row);
  }
}

}  // namespace sagcl::ops::cpu::SAGCL_ISA
