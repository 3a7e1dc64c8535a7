#pragma once
#include "ops/kernels/launch_cpu.h"
#include "ops/kernels/shared_backend.inl"

namespace sagcl::ops::cpu {

/// The CPU: the shared kernels, our own convolutions, and vendor libraries for products and decompositions.
class CpuBackend final : public SharedBackend<CpuLaunch> {
 public:
  void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) override;
  void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) override;
  void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) override;
  void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) override;
  void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) override;
  void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) override;
};

}  // namespace sagcl::ops::cpu
