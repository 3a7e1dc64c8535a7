#pragma once
#include <cstdint>

#include "engine/bf16.h"

namespace sagcl::ops::cuda {

/// Four values in bf16, in 8 bytes. Kernels that take float4 in memory take these by the same words: they widen to a float4
/// by themselves and are made of one by rounding.
struct alignas(8) Bf16x4 {
  std::uint32_t xy, zw;  // the first in the lower half

  Bf16x4() = default;
  __host__ __device__ Bf16x4(const float4& v) : xy(pair(v.x, v.y)), zw(pair(v.z, v.w)) {}
  __host__ __device__ operator float4() const { return {low(xy), high(xy), low(zw), high(zw)}; }

 private:
  __host__ __device__ static std::uint32_t pair(float first, float second) {
#ifdef __CUDA_ARCH__
    std::uint32_t both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
    return both;
#else
    return engine::bf16(first).bits | std::uint32_t(engine::bf16(second).bits) << 16;
#endif
  }
  __host__ __device__ static float low(std::uint32_t both) { return from_bits(both << 16); }
  __host__ __device__ static float high(std::uint32_t both) { return from_bits(both & 0xffff0000u); }
  __host__ __device__ static float from_bits(std::uint32_t bits) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
};

}  // namespace sagcl::ops::cuda
