#pragma once
#include "engine/tensor.h"
#include "ops/cuda/loops.cuh"

// Tensors whose channels come in fours: 16 bytes per access.
namespace sagcl::ops::cuda {

using engine::Tensor;

inline const float4* fours(const Tensor& t) { return reinterpret_cast<const float4*>(t.data<float>()); }
inline float4* fours(Tensor& t) { return reinterpret_cast<float4*>(t.data<float>()); }

/// f32 with channels in fours, few enough for 32-bit positions.
inline bool in_fours(std::int64_t C, const Tensor& t, std::int64_t voxels) {
  return t.dtype() == engine::Dtype::f32 && C % 4 == 0 && voxels * (C / 4) < (std::int64_t(1) << 31);
}

}  // namespace sagcl::ops::cuda
