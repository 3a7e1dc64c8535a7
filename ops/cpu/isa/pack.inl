#pragma once
#include "ops/cpu/isa/vector.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu::SAGCL_ISA {

typedef float Four __attribute__((vector_size(16)));
typedef float LooseFour __attribute__((vector_size(16), aligned(4), may_alias));

/// Four rows of four floats, transposed: to[k * to_stride + j] = from[j * from_stride + k].
SAGCL_INLINE void transpose4(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  Four r[4];
  for (int j = 0; j < 4; ++j) r[j] = *reinterpret_cast<const LooseFour*>(from + j * from_stride);
  const Four a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
  const Four c = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7), d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
  *reinterpret_cast<LooseFour*>(to) = __builtin_shufflevector(a, b, 0, 1, 4, 5);
  *reinterpret_cast<LooseFour*>(to + to_stride) = __builtin_shufflevector(a, b, 2, 3, 6, 7);
  *reinterpret_cast<LooseFour*>(to + 2 * to_stride) = __builtin_shufflevector(c, d, 0, 1, 4, 5);
  *reinterpret_cast<LooseFour*>(to + 3 * to_stride) = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

inline void pack_panel(const PackPanel& p) {
  for (int64_t column = 0; column < p.columns; column += lanes) {
    const float* from = p.from + column * p.column_stride;
    float* to = p.to + column / lanes * p.block_stride;
    const int64_t width = smaller(lanes, p.columns - column);
    int64_t k = 0;
    if (p.column_stride == 1 && width == lanes)
      for (; k < p.count; ++k) store(to + k * lanes, load(from + k * p.k_stride));
    if (p.k_stride == 1 && width == lanes)
      for (; k + 4 <= p.count; k += 4)
        for (int j = 0; j < lanes; j += 4)
          transpose4(from + j * p.column_stride + k, p.column_stride, to + k * lanes + j, lanes);
    for (; k < p.count; ++k)
      for (int64_t j = 0; j < lanes; ++j) to[k * lanes + j] = j < width ? from[j * p.column_stride + k * p.k_stride] : 0.0f;
  }
}

}  // namespace sagcl::ops::cpu::SAGCL_ISA
