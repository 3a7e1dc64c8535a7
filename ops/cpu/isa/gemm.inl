#pragma once
#include "ops/cpu/isa/vector.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu::SAGCL_ISA {

/// Rows of a tile of one or two vectors of columns: what fits the registers.
constexpr int max_tile(bool pair) { return lanes == 16 ? 14 : pair ? 6 : 12; }

/// A tile of T rows and B vectors of columns that stays in registers over the whole reduction.
template <int T, int B>
void gemm_tile(const GemmRows& g, int64_t row, int64_t column) {
  constexpr int groups = (T + 3) / 4;
  const int64_t stride = g.a_stride, block = g.block_stride;
  float* c = g.c + row * g.c_stride + column;
  const int64_t tail = g.columns - column - (B - 1) * lanes;  // columns in the last vector
  const bool whole = tail >= lanes;
  Vec acc[T][B];
#pragma GCC unroll 16
  for (int i = 0; i < T; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < B; ++j) {
      if (g.accumulate)
        acc[i][j] =
            j < B - 1 || whole ? load(c + i * g.c_stride + j * lanes) : load_part(c + i * g.c_stride + j * lanes, tail);
      else acc[i][j] = g.bias ? load(g.bias + column + j * lanes) : zero();
    }
  if (!g.accumulate && g.run_count * g.run_length >= 16)
#pragma GCC unroll 16
    for (int i = 0; i < T; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < B * lanes; j += 16) fetch_to_write(c + i * g.c_stride + j);
  for (int s = 0; s < g.run_count; ++s) {
    const float* b = g.runs[s].b + column / lanes * block;
    const float* p[groups];  // every fourth row; hidden from the compiler, which would keep a pointer for each row
    int64_t one = stride, three = 3 * stride;
#pragma GCC unroll 4
    for (int q = 0; q < groups; ++q) {
      p[q] = g.runs[s].a + (row + 4 * q) * stride;
      asm("" : "+r"(p[q]));
    }
    asm("" : "+r"(one), "+r"(three));
    const float* next = g.runs[s].next + row * stride;
    for (int64_t k = 0; k < g.run_length; ++k) {
      fetch(next);
      next += 16;
      Vec w[B];
#pragma GCC unroll 4
      for (int j = 0; j < B; ++j) w[j] = load(b + j * block);
#pragma GCC unroll 16
      for (int i = 0; i < T; ++i) {
        const float* q = p[i / 4];
        const float a = i % 4 == 0 ? q[0] : i % 4 == 1 ? q[one] : i % 4 == 2 ? q[2 * one] : q[three];
#pragma GCC unroll 4
        for (int j = 0; j < B; ++j) acc[i][j] += a * w[j];
      }
      b += lanes;
#pragma GCC unroll 4
      for (int q = 0; q < groups; ++q) ++p[q];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < T; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < B; ++j) {
      if (j < B - 1 || whole) store(c + i * g.c_stride + j * lanes, acc[i][j]);
      else store_part(c + i * g.c_stride + j * lanes, acc[i][j], tail);
    }
}

using TileFunction = void (*)(const GemmRows&, int64_t, int64_t);
template <int B, int... T>
struct Tiles {
  static constexpr TileFunction of[] = {nullptr, gemm_tile<T, B>...};
};
#if SAGCL_LANES == 16
using Single = Tiles<1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>;
using Pair = Tiles<2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>;
#else
using Single = Tiles<1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>;
using Pair = Tiles<2, 1, 2, 3, 4, 5, 6>;
#endif

inline void gemm_rows(const GemmRows& g) {
  for (int64_t column = 0; column < g.columns;) {
    const bool pair = g.columns - column > lanes;
    const int64_t most = max_tile(pair), tiles = (g.rows + most - 1) / most;
    for (int64_t t = 0; t < tiles; ++t) {  // tiles of nearly equal height
      const int64_t row = g.rows * t / tiles, height = g.rows * (t + 1) / tiles - row;
      (pair ? Pair::of : Single::of)[height](g, row, column);
    }
    column += pair ? 2 * lanes : lanes;
  }
}

}  // namespace sagcl::ops::cpu::SAGCL_ISA
