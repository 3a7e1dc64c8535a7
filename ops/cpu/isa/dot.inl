#pragma once
#include "ops/cpu/isa/vector.h"
#include "ops/cpu/kernels.h"

/// Very few result channels (the heads of a network): vectors run along the reduction instead of the channels.
namespace sagcl::ops::cpu::SAGCL_ISA {

typedef float Quad __attribute__((vector_size(16)));

/// Four partial sums of a vector's lanes.
SAGCL_INLINE Quad quarter(Vec v) {
  Quad q[lanes / 4];
  __builtin_memcpy(q, &v, sizeof v);
#if SAGCL_LANES == 16
  return (q[0] + q[1]) + (q[2] + q[3]);
#elif SAGCL_LANES == 8
  return q[0] + q[1];
#else
  return q[0];
#endif
}

/// The sums of all lanes of four vectors.
SAGCL_INLINE Quad sums(Vec v0, Vec v1, Vec v2, Vec v3) {
  const Quad a = quarter(v0), b = quarter(v1), c = quarter(v2), d = quarter(v3);
  const Quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

/// R rows and O columns.
template <int R, int O>
void dot_tile(const GemmRows& g, int64_t row) {
  Vec acc[R][4];
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) acc[i][j] = zero();
  for (int s = 0; s < g.run_count; ++s) {
    const float *a = g.runs[s].a + row * g.a_stride, *b = g.runs[s].b, *next = g.runs[s].next + row * g.a_stride;
    for (int64_t k = 0; k < g.run_length; k += lanes) {
      Vec x[R];
#pragma GCC unroll 4
      for (int i = 0; i < R; ++i) x[i] = load(a + i * g.a_stride + k), fetch(next + i * g.a_stride + k);
#pragma GCC unroll 4
      for (int j = 0; j < O; ++j) {
        const Vec w = load(b + j * g.block_stride + k);
#pragma GCC unroll 4
        for (int i = 0; i < R; ++i) acc[i][j] += x[i] * w;
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < R; ++i) {
    const Quad r = sums(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
    float* c = g.c + (row + i) * g.c_stride;
#pragma GCC unroll 4
    for (int j = 0; j < O; ++j) c[j] = r[j] + (g.accumulate ? c[j] : g.bias ? g.bias[j] : 0.0f);
  }
}

template <int O>
void dot_columns(const GemmRows& g) {
  int64_t row = 0;
  for (; row + 4 <= g.rows; row += 4) dot_tile<4, O>(g, row);
  for (; row < g.rows; ++row) dot_tile<1, O>(g, row);
}

inline void dot_rows(const GemmRows& g) {
  if (g.columns == 1) dot_columns<1>(g);
  else if (g.columns == 2) dot_columns<2>(g);
  else if (g.columns == 3) dot_columns<3>(g);
  else dot_columns<4>(g);
}

}  // namespace sagcl::ops::cpu::SAGCL_ISA
