#pragma once
// Rows of 2 to 4 classes, several rows to a pack of 16-byte accesses (class_kernels.cuh).
#include <type_traits>

#include "ops/cuda/class_kernels.cuh"
#include "ops/cuda/launch_cuda.cuh"

namespace sagcl::ops::cuda {

/// f(integral_constant<C>, number of packs) for a tensor [.., C] that comes in packs; false for others (other dtypes, more
/// than four classes, voxels not in fours).
template <class F>
bool visit_classes(const Tensor& z, F f) {
  if (z.dtype() != engine::Dtype::f32 || z.size() == 0) return false;
  const std::int64_t classes = z.shape().back(), rows = z.size() / classes;
  if (rows % 4 != 0 || rows >= std::int64_t(1) << 31) return false;
  const auto call = [&](auto c) { f(c, std::uint32_t(rows / Pack<c()>::rows)); };
  switch (classes) {
    case 2: call(std::integral_constant<int, 2>()); return true;
    case 3: call(std::integral_constant<int, 3>()); return true;
    case 4: call(std::integral_constant<int, 4>()); return true;
    default: return false;
  }
}

template <int C>
const Pack<C>* packs_of(const Tensor& t) {
  return reinterpret_cast<const Pack<C>*>(t.data<float>());
}
template <int C>
Pack<C>* packs_of(Tensor& t) {
  return reinterpret_cast<Pack<C>*>(t.data<float>());
}
template <int C>
const PackLabels<C>* labels_of(const Tensor& t) {
  return reinterpret_cast<const PackLabels<C>*>(t.data<std::int32_t>());
}

template <class F>
void for_packs(const char* name, std::uint32_t packs, F f) {
  constexpr std::uint32_t each = 2 * block_threads;
  packs_kernel<<<(packs + each - 1) / each, block_threads, 0, stream()>>>(packs, f);
  check_launch(name);
}

}  // namespace sagcl::ops::cuda
