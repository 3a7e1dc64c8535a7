#pragma once
#include "ops/cuda/launch_cuda.cuh"
#include "ops/kernels/shared_backend.inl"

namespace sagcl::ops::cuda {

/// The GPU: the shared kernels, cuDNN's convolutions, cuBLAS, cuSOLVER, and kernels of our own where the shared body would
/// leave memory bandwidth or launches unused. A function stands in the file of its operation (softmax.cu, ...). Where its
/// own kernel does not serve, which depends on dtype and sizes alone, it hands over to the shared one.
class CudaBackend final : public Widened<SharedBackend<CudaLaunch>> {
  using Shared = Widened<SharedBackend<CudaLaunch>>;

 public:
  void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) override;
  void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) override;
  void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) override;
  void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) override;
  void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) override;
  void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) override;

  void binary(Binary f, const Tensor& a, const Tensor& b, Tensor& y) override;
  void convert(const Tensor& x, Tensor& y) override;
  void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) override;
  void norm_apply(const NormOperands& n, Tensor& y) override;
  void norm_backward(const NormOperands& n, bool fixed, const Tensor& dy, Tensor& dx, Tensor& dgamma,
                     Tensor& dbeta) override;
  void sum(const Tensor& x, const Axes& v, double scale, Tensor& y) override;
  void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) override;
  void softmax(bool logarithm, const Tensor& x, Tensor& y) override;
  void softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) override;
  void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) override;
  void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) override;
  void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) override;
  void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) override;
  void copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) override;
  void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) override;
  void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss,
                              Tensor& dz) override;
  void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots) override;
  void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots) override;
  void average(const Tensor& alpha, const Tensor& gate,
               const std::vector<std::pair<Tensor, Tensor>>& teacher_student) override;
};

}  // namespace sagcl::ops::cuda
