#pragma once
#include "ops/kernels/launch_cpu.h"
#include "ops/kernels/shared_backend.inl"

namespace sagcl::ops::cpu {

/// The CPU: the shared kernels, faster forms of some of them, our own convolutions and products, and libraries for
/// decompositions. A function stands in the file of its operation (softmax.cpp, ...). Where its faster form does not apply,
/// which depends on dtype and sizes alone, it begins by handing over to the shared kernel. Results never depend on threads.
class CpuBackend : public SharedBackend<CpuLaunch> {
  using Shared = SharedBackend<CpuLaunch>;

 public:
  void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) override;
  void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) override;
  void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) override;
  void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) override;
  void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) override;
  void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) override;

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
  void average_pool_backward(const PoolGeometry& g, const Tensor& dy, Tensor& dx) override;
  void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) override;
  void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) override;
  void copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) override;
  void patches(const Extents& grid, bool inverse, const Tensor& x, Tensor& y) override;
  void scatter_rows(const Tensor& index, const Tensor& dy, Tensor& dx) override;

  void pairwise_distance(Metric metric, const Tensor& a, const Tensor& b, Tensor& d) override;
  void pairwise_distance_backward(Metric metric, const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da,
                                  Tensor& db) override;
  void gaussian_kernel(const Tensor& d, const Tensor& sigma2, Tensor& k) override;
  void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) override;
  void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss,
                              Tensor& dz) override;
  void soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss) override;
  void soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz) override;
  void dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums) override;
  void quantiles(std::int64_t skip, const std::vector<double>& q, const Tensor& x, Tensor& y) override;
  void top_rows(double least, const Tensor& score, const Tensor& weight, Tensor& picks, Tensor& counted) override;
  void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots) override;
  void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots) override;
  void average(const Tensor& alpha, const Tensor& gate,
               const std::vector<std::pair<Tensor, Tensor>>& teacher_student) override;
};

}  // namespace sagcl::ops::cpu
