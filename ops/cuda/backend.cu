#include "ops/cuda/backend.h"

#include "ops/cuda/conv/conv.h"
#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/matmul.hpp"

namespace sagcl::ops::cuda {

// What is written for the host compiler.
void CudaBackend::matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) { cuda::matmul(g, a, b, y); }
void CudaBackend::conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  if (is_bf16(x) && bf16_forward(g, x, w, b, y)) return;
  narrow(y, [&](Tensor& to) { cuda::conv_forward(g, wide(x), w, b, to); });
}
void CudaBackend::conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  if (is_bf16(dy) && bf16_backward_data(g, w, dy, b, dx)) return;
  narrow(dx, [&](Tensor& to) { cuda::conv_backward_data(g, w, wide(dy), b, to); });
}
void CudaBackend::conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  if (is_bf16(x) && bf16_backward_weight(g, x, dy, dw)) return;
  cuda::conv_backward_weight(g, wide(x), wide(dy), dw);
}

Backend& gpu_backend() {
  static CudaBackend& backend = *new CudaBackend;
  return backend;
}

}  // namespace sagcl::ops::cuda
