#pragma once
#include "engine/tensor.h"
#include "ops/cuda/bf16x4.cuh"
#include "ops/cuda/loops.cuh"

// Tensors whose channels come in fours: 16 bytes per access in f32, 8 in bf16.
namespace sagcl::ops::cuda {

using engine::Tensor;

/// Calls f(Type<V>()) for what four channels of t are in memory, float4 or Bf16x4.
template <class F>
void visit_fours(const Tensor& t, F&& f) {
  if (t.dtype() == engine::Dtype::bf16) f(engine::Type<Bf16x4>());
  else f(engine::Type<float4>());
}

template <class V = float4>
const V* fours(const Tensor& t) {
  return reinterpret_cast<const V*>(t.data<std::conditional_t<sizeof(V) == 8, engine::bf16, float>>());
}
template <class V = float4>
V* fours(Tensor& t) {
  return reinterpret_cast<V*>(t.data<std::conditional_t<sizeof(V) == 8, engine::bf16, float>>());
}

inline bool is_f32_or_bf16(const Tensor& t) { return t.dtype() == engine::Dtype::f32 || t.dtype() == engine::Dtype::bf16; }

/// Either of the two with channels in fours, few enough for 32-bit positions.
inline bool in_fours(std::int64_t C, const Tensor& t, std::int64_t voxels) {
  return is_f32_or_bf16(t) && C % 4 == 0 && voxels * (C / 4) < (std::int64_t(1) << 31);
}

}  // namespace sagcl::ops::cuda
