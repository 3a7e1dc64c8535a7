#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/packs.cuh"

namespace sagcl::ops::cuda {

void CudaBackend::softmax(bool logarithm, const Tensor& x, Tensor& y) {
  const bool served = visit_classes(x, [&](auto c, std::uint32_t packs) {
    if (logarithm) for_packs("log_softmax", packs, SoftmaxPack<c(), true>{packs_of<c()>(x), packs_of<c()>(y)});
    else for_packs("softmax", packs, SoftmaxPack<c(), false>{packs_of<c()>(x), packs_of<c()>(y)});
  });
  if (!served) Shared::softmax(logarithm, x, y);
}

void CudaBackend::softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) {
  const bool served = visit_classes(y, [&](auto c, std::uint32_t packs) {
    const Pack<c()>*out = packs_of<c()>(y), *d = packs_of<c()>(dy);
    if (logarithm) for_packs("log_softmax_backward", packs, SoftmaxBackwardPack<c(), true>{out, d, packs_of<c()>(dx)});
    else for_packs("softmax_backward", packs, SoftmaxBackwardPack<c(), false>{out, d, packs_of<c()>(dx)});
  });
  if (!served) Shared::softmax_backward(logarithm, y, dy, dx);
}

}  // namespace sagcl::ops::cuda
