#include "ops/cuda/backend.h"

#include "ops/cuda/conv.h"
#include "ops/cuda/decompositions.h"
#include "ops/cuda/launch_cuda.cuh"
#include "ops/cuda/matmul.hpp"
#include "ops/kernels/shared_backend.inl"

namespace sagcl::ops::cuda {
namespace {

/// The GPU: the shared kernels, cuDNN's convolutions, cuBLAS, cuSOLVER.
class CudaBackend final : public SharedBackend<CudaLaunch> {
 public:
  void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) override { cuda::matmul(g, a, b, y); }
  void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) override {
    cuda::conv_forward(g, x, w, b, y);
  }
  void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) override {
    cuda::conv_backward_data(g, w, dy, b, dx);
  }
  void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) override {
    cuda::conv_backward_weight(g, x, dy, dw);
  }
  void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) override {
    cuda::nuclear_norm(spec, a, value, subgradient);
  }
  void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) override { cuda::svd(a, u, s, vt); }
};

}  // namespace

Backend& gpu_backend() {
  static CudaBackend& backend = *new CudaBackend;
  return backend;
}

}  // namespace sagcl::ops::cuda
