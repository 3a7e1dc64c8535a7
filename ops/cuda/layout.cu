#include "ops/cuda/cuda_backend.cuh"

namespace sagcl::ops::cuda {

void CudaBackend::copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) {
  const std::int64_t wide = 16 / std::int64_t(engine::bytes_of(x.dtype()));
  BlockCopy b = block;
  for (std::int64_t* n : {&b.x_shape[4], &b.y_shape[4], &b.x_begin[4], &b.y_begin[4], &b.extent[4]}) {
    if (*n % wide != 0) return Shared::copy_block(block, x, y);
    *n /= wide;
  }
  const std::int64_t rows = b.extent[0] * b.extent[1] * b.extent[2] * b.extent[3];
  CudaLaunch::for_rows(
      rows, b.extent[4],
      kernels::CopyBlock<uint4>{b, static_cast<const uint4*>(x.bytes_begin()), static_cast<uint4*>(y.bytes_begin())});
}

}  // namespace sagcl::ops::cuda
