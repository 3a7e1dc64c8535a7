#include "ops/cuda/matmul.hpp"

#include "engine/devices/buffer.h"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_ALLOC_FAILED) fail_out_of_memory(what);
  engine::require<engine::BackendError>(status == CUBLAS_STATUS_SUCCESS, "{}: {}", what, cublasGetStatusString(status));
}

cublasHandle_t blas() {
  static const cublasHandle_t handle = [] {
    cublasHandle_t h = nullptr;
    check(cublasCreate(&h), "cublasCreate");
    check(cublasSetStream(h, stream()), "cublasSetStream");
    constexpr std::size_t bytes = std::size_t(32) << 20;
    static const engine::Buffer& workspace = *new engine::Buffer(device(), bytes);
    check(cublasSetWorkspace(h, workspace.data(), bytes), "cublasSetWorkspace");
    check(cublasSetMathMode(h, CUBLAS_PEDANTIC_MATH), "cublasSetMathMode");
    return h;
  }();
  return handle;
}

void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) {
  if (y.size() == 0) return;
  if (g.k == 0) return check(cudaMemsetAsync(y.bytes_begin(), 0, y.bytes(), stream()), "matmul");
  // cuBLAS counts columns first: it sees our row-major matrices transposed, and yᵀ = bᵀ aᵀ.
  const cublasOperation_t op_a = g.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, op_b = g.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const std::int64_t row_a = g.transpose_a ? g.m : g.k, row_b = g.transpose_b ? g.k : g.n;
  const bool wide = y.dtype() == engine::Dtype::f64;
  const float one = 1, zero = 0;
  const double one_wide = 1, zero_wide = 0;
  const cudaDataType_t type = wide ? CUDA_R_64F : CUDA_R_32F;
  check(cublasGemmStridedBatchedEx_64(blas(), op_b, op_a, g.n, g.m, g.k, wide ? static_cast<const void*>(&one_wide) : &one,
                                      b.bytes_begin(), type, row_b, g.k * g.n, a.bytes_begin(), type, row_a, g.m * g.k,
                                      wide ? static_cast<const void*>(&zero_wide) : &zero, y.bytes_begin(), type, g.n,
                                      g.m * g.n, g.batch, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F_PEDANTIC,
                                      CUBLAS_GEMM_DEFAULT),
        "matmul");
}

}  // namespace sagcl::ops::cuda
