#include "ops/cuda/backend.h"

#include "ops/cuda/classes.h"
#include "ops/cuda/conv.h"
#include "ops/cuda/decompositions.h"
#include "ops/cuda/launch_cuda.cuh"
#include "ops/cuda/matmul.hpp"
#include "ops/cuda/images.h"
#include "ops/cuda/norm.h"
#include "ops/cuda/streams.h"
#include "ops/cuda/updates.h"
#include "ops/kernels/shared_backend.inl"

namespace sagcl::ops::cuda {
namespace {

/// The GPU: the shared kernels, cuDNN's convolutions, cuBLAS, cuSOLVER, and kernels of our own where the shared body would
/// leave memory bandwidth or launches unused.
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
  void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) override {
    if (norm_is_fast(g, x)) cuda::norm_statistics(g, x, mean, variance);
    else SharedBackend::norm_statistics(g, x, mean, variance);
  }
  void norm_apply(const NormGeometry& g, Activation act, double eps, const Tensor& x, const Tensor& mean,
                  const Tensor& variance, const Tensor& gamma, const Tensor& beta, Tensor& y) override {
    if (norm_is_fast(g, x)) cuda::norm_apply(g, act, eps, x, mean, variance, gamma, beta, y);
    else SharedBackend::norm_apply(g, act, eps, x, mean, variance, gamma, beta, y);
  }
  void norm_backward(const NormGeometry& g, Activation act, double eps, bool fixed, const Tensor& x, const Tensor& mean,
                     const Tensor& variance, const Tensor& gamma, const Tensor& beta, const Tensor& dy, Tensor& dx,
                     Tensor& dgamma, Tensor& dbeta) override {
    if (norm_is_fast(g, x)) cuda::norm_backward(g, act, eps, fixed, x, mean, variance, gamma, beta, dy, dx, dgamma, dbeta);
    else SharedBackend::norm_backward(g, act, eps, fixed, x, mean, variance, gamma, beta, dy, dx, dgamma, dbeta);
  }
  void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) override {
    if (!cuda::dropout(spec, x, y)) SharedBackend::dropout(spec, x, y);
  }
  void sum(const Tensor& x, const Axes& v, double scale, Tensor& y) override {
    if (!cuda::sum(x, v, scale, y)) SharedBackend::sum(x, v, scale, y);
  }
  void copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) override {
    if (!cuda::copy_block(block, x, y)) SharedBackend::copy_block(block, x, y);
  }
  void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) override {
    if (!cuda::max_pool(g, x, y, index)) SharedBackend::max_pool(g, x, y, index);
  }
  void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) override {
    if (!cuda::max_pool_backward(g, index, dy, dx)) SharedBackend::max_pool_backward(g, index, dy, dx);
  }
  void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) override {
    if (!cuda::resize(g, x, y)) SharedBackend::resize(g, x, y);
  }
  void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) override {
    if (!cuda::resize_backward(g, dy, dx)) SharedBackend::resize_backward(g, dy, dx);
  }
  void softmax(bool logarithm, const Tensor& x, Tensor& y) override {
    if (!cuda::softmax(logarithm, x, y)) SharedBackend::softmax(logarithm, x, y);
  }
  void softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) override {
    if (!cuda::softmax_backward(logarithm, y, dy, dx)) SharedBackend::softmax_backward(logarithm, y, dy, dx);
  }
  void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) override {
    if (!cuda::cross_entropy(z, labels, loss, count)) SharedBackend::cross_entropy(z, labels, loss, count);
  }
  void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss,
                              Tensor& dz) override {
    if (!cuda::cross_entropy_backward(z, labels, count, dloss, dz))
      SharedBackend::cross_entropy_backward(z, labels, count, dloss, dz);
  }
  void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& open, const std::vector<AdamSlot>& slots) override {
    cuda::adam(spec, rates, open, slots);
  }
  void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& open, const std::vector<SgdSlot>& slots) override {
    cuda::sgd(spec, lr, open, slots);
  }
  void average(const Tensor& alpha, const Tensor& open, const std::vector<std::pair<Tensor, Tensor>>& pairs) override {
    cuda::average(alpha, open, pairs);
  }
};

}  // namespace

Backend& gpu_backend() {
  static CudaBackend& backend = *new CudaBackend;
  return backend;
}

}  // namespace sagcl::ops::cuda
