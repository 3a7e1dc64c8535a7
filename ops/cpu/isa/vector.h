#pragma once
#include <cstdint>

/// One vector of floats of the instruction set this file is compiled for (GCC vector extensions), in a namespace of its
/// own, so that code of different instruction sets can never be mixed up by the linker. For the same reason nothing in
/// this folder instantiates a template of the standard library.
#if defined(__AVX512F__)
#define SAGCL_ISA avx512
#define SAGCL_LANES 16
#elif defined(__AVX2__) && defined(__FMA__)
#define SAGCL_ISA avx2
#define SAGCL_LANES 8
#else
#define SAGCL_ISA baseline
#define SAGCL_LANES 4
#endif
#define SAGCL_INLINE inline __attribute__((always_inline))

namespace sagcl::ops::cpu::SAGCL_ISA {

using std::int64_t;
constexpr int lanes = SAGCL_LANES;
typedef float Vec __attribute__((vector_size(SAGCL_LANES * 4)));
typedef float LooseVec __attribute__((vector_size(SAGCL_LANES * 4), aligned(4), may_alias));

SAGCL_INLINE Vec load(const float* p) { return *reinterpret_cast<const LooseVec*>(p); }
SAGCL_INLINE void store(float* p, Vec v) { *reinterpret_cast<LooseVec*>(p) = v; }
SAGCL_INLINE Vec zero() { return Vec{}; }

/// Memory wanted soon, in the second-level cache; memory about to be written, in the first.
SAGCL_INLINE void fetch(const float* p) { __builtin_prefetch(p, 0, 2); }
SAGCL_INLINE void fetch_to_write(const float* p) { __builtin_prefetch(p, 1, 3); }

/// The first `count` lanes; the others are zero.
inline Vec load_part(const float* p, int64_t count) {
  alignas(64) float t[lanes] = {};
  for (int64_t i = 0; i < count; ++i) t[i] = p[i];
  return load(t);
}
inline void store_part(float* p, Vec v, int64_t count) {
  alignas(64) float t[lanes];
  store(t, v);
  for (int64_t i = 0; i < count; ++i) p[i] = t[i];
}

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

}  // namespace sagcl::ops::cpu::SAGCL_ISA
