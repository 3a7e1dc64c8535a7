#include "ops/cuda/backend.h"

#include "ops/cuda/conv.h"
#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/matmul.hpp"

namespace sagcl::ops::cuda {

// What is written for the host compiler.
void CudaBackend::matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) { cuda::matmul(g, a, b, y); }
void CudaBackend::conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  cuda::conv_forward(g, x, w, b, y);
}
void CudaBackend::conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  cuda::conv_backward_data(g, w, dy, b, dx);
}
void CudaBackend::conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  cuda::conv_backward_weight(g, x, dy, dw);
}

Backend& gpu_backend() {
  static CudaBackend& backend = *new CudaBackend;
  return backend;
}

}  // namespace sagcl::ops::cuda
