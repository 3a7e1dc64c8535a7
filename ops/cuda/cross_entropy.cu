#include "engine/devices/buffer.h"
#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/packs.cuh"

namespace sagcl::ops::cuda {

void CudaBackend::cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) {
  const bool served = visit_classes(z, [&](auto c, std::uint32_t packs) {
    const unsigned blocks = cross_entropy_blocks(packs);
    const engine::Buffer partial(device(), std::size_t(2 * blocks) * sizeof(double));
    cross_entropy_kernel<c()><<<blocks, block_threads, 0, stream()>>>(packs, packs_of<c()>(z), labels_of<c()>(labels),
                                                                      static_cast<double*>(partial.data()),
                                                                      loss.data<float>(), count.data<float>());
    check_launch("cross_entropy");
  });
  if (!served) Shared::cross_entropy(z, labels, loss, count);
}

void CudaBackend::cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss,
                                         Tensor& dz) {
  const bool served = visit_classes(z, [&](auto c, std::uint32_t packs) {
    for_packs("cross_entropy_backward", packs,
              CrossEntropyBackwardPack<c()>{packs_of<c()>(z), labels_of<c()>(labels), count.data<float>(),
                                            dloss.data<float>(), packs_of<c()>(dz)});
  });
  if (!served) Shared::cross_entropy_backward(z, labels, count, dloss, dz);
}

}  // namespace sagcl::ops::cuda
