#include "ops/cuda/classes.h"

#include <type_traits>

#include "engine/memory.h"
#include "ops/cuda/class_kernels.cuh"
#include "ops/cuda/stream.h"

namespace sagcl::ops::cuda {
namespace {

/// f(integral_constant<C>, number of packs) for a tensor [.., C] that comes in packs; false for others.
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

}  // namespace

bool softmax(bool logarithm, const Tensor& x, Tensor& y) {
  return visit_classes(x, [&](auto c, std::uint32_t packs) {
    if (logarithm) for_packs("log_softmax", packs, SoftmaxPack<c(), true>{packs_of<c()>(x), packs_of<c()>(y)});
    else for_packs("softmax", packs, SoftmaxPack<c(), false>{packs_of<c()>(x), packs_of<c()>(y)});
  });
}

bool softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) {
  return visit_classes(y, [&](auto c, std::uint32_t packs) {
    const Pack<c()>*out = packs_of<c()>(y), *d = packs_of<c()>(dy);
    if (logarithm) for_packs("log_softmax_backward", packs, SoftmaxBackwardPack<c(), true>{out, d, packs_of<c()>(dx)});
    else for_packs("softmax_backward", packs, SoftmaxBackwardPack<c(), false>{out, d, packs_of<c()>(dx)});
  });
}

bool cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) {
  return visit_classes(z, [&](auto c, std::uint32_t packs) {
    const unsigned blocks = cross_entropy_blocks(packs);
    const engine::Buffer partial(device(), std::size_t(2 * blocks) * sizeof(double));
    cross_entropy_kernel<c()><<<blocks, block_threads, 0, stream()>>>(packs, packs_of<c()>(z), labels_of<c()>(labels),
                                                                     static_cast<double*>(partial.data()),
                                                                     loss.data<float>(), count.data<float>());
    check_launch("cross_entropy");
  });
}

bool cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss, Tensor& dz) {
  return visit_classes(z, [&](auto c, std::uint32_t packs) {
    for_packs("cross_entropy_backward", packs,
              CrossEntropyBackwardPack<c()>{packs_of<c()>(z), labels_of<c()>(labels), count.data<float>(),
                                            dloss.data<float>(), packs_of<c()>(dz)});
  });
}

}  // namespace sagcl::ops::cuda
