#include "ops/cpu/cpu_backend.h"

#include "ops/cpu/conv.h"
#include "ops/cpu/decompositions.h"
#include "ops/cpu/distances.h"
#include "ops/cpu/fast.h"
#include "ops/cpu/matmul.h"
#include "ops/cpu/quantiles.h"
#include "ops/cpu/updates.h"
#include "ops/cpu/voxel_losses.h"

namespace sagcl::ops::cpu {

namespace {
using Shared = SharedBackend<CpuLaunch>;
bool single(const Tensor& t) { return t.dtype() == engine::Dtype::f32; }
}  // namespace

void CpuBackend::matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) { cpu::matmul(g, a, b, y); }

void CpuBackend::conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  cpu::conv_forward(g, x, w, b, y);
}
void CpuBackend::conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  cpu::conv_backward_data(g, w, dy, b, dx);
}
void CpuBackend::conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  cpu::conv_backward_weight(g, x, dy, dw);
}

void CpuBackend::nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) {
  cpu::nuclear_norm(spec, a, value, subgradient);
}
void CpuBackend::svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) { cpu::svd(a, u, s, vt); }

// Below: the faster form where it applies, else the shared kernel. The choice depends on dtype and sizes alone.

void CpuBackend::norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) {
  single(x) ? cpu::norm_statistics(g, x, mean, variance) : Shared::norm_statistics(g, x, mean, variance);
}
void CpuBackend::norm_apply(const NormGeometry& g, Activation act, double eps, const Tensor& x, const Tensor& mean, const Tensor& variance,
                            const Tensor& gamma, const Tensor& beta, Tensor& y) {
  single(x) ? cpu::norm_apply(g, act, eps, x, mean, variance, gamma, beta, y)
            : Shared::norm_apply(g, act, eps, x, mean, variance, gamma, beta, y);
}
void CpuBackend::norm_backward(const NormGeometry& g, Activation act, double eps, bool fixed, const Tensor& x, const Tensor& mean,
                               const Tensor& variance, const Tensor& gamma, const Tensor& beta, const Tensor& dy, Tensor& dx,
                               Tensor& dgamma, Tensor& dbeta) {
  single(x) ? cpu::norm_backward(g, act, eps, fixed, x, mean, variance, gamma, beta, dy, dx, dgamma, dbeta)
            : Shared::norm_backward(g, act, eps, fixed, x, mean, variance, gamma, beta, dy, dx, dgamma, dbeta);
}

void CpuBackend::sum(const Tensor& x, const Axes& v, double scale, Tensor& y) {
  const bool tall = v.inner >= 1 && v.inner <= 4096 && v.reduced >= 16 && v.reduced * v.inner >= 1024;
  single(x) && tall ? cpu::sum(x, v, scale, y) : Shared::sum(x, v, scale, y);
}
void CpuBackend::dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) {
  single(x) && !spec.per_channel ? cpu::dropout(spec, x, y) : Shared::dropout(spec, x, y);
}

void CpuBackend::softmax(bool logarithm, const Tensor& x, Tensor& y) {
  const bool few = x.shape().back() >= 2 && x.shape().back() <= 4;
  single(x) && few ? cpu::softmax(logarithm, x, y) : Shared::softmax(logarithm, x, y);
}
void CpuBackend::softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) {
  const bool few = y.shape().back() >= 2 && y.shape().back() <= 4;
  single(y) && few ? cpu::softmax_backward(logarithm, y, dy, dx) : Shared::softmax_backward(logarithm, y, dy, dx);
}

void CpuBackend::max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) {
  single(x) ? cpu::max_pool(g, x, y, index) : Shared::max_pool(g, x, y, index);
}
void CpuBackend::max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) {
  const bool disjoint = g.window[0] <= g.stride[0] && g.window[1] <= g.stride[1] && g.window[2] <= g.stride[2];
  single(dy) && disjoint ? cpu::max_pool_backward(g, index, dy, dx) : Shared::max_pool_backward(g, index, dy, dx);
}
void CpuBackend::resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) {
  single(x) ? cpu::resize(g, x, y) : Shared::resize(g, x, y);
}
void CpuBackend::resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) {
  single(dy) ? cpu::resize_backward(g, dy, dx) : Shared::resize_backward(g, dy, dx);
}

void CpuBackend::copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) { cpu::copy_block(block, x, y); }
void CpuBackend::patches(const Extents& grid, bool inverse, const Tensor& x, Tensor& y) { cpu::patches(grid, inverse, x, y); }

void CpuBackend::pairwise_distance(Metric metric, const Tensor& a, const Tensor& b, Tensor& d) {
  single(a) ? cpu::pairwise_distance(metric, a, b, d) : Shared::pairwise_distance(metric, a, b, d);
}
void CpuBackend::pairwise_distance_backward(Metric metric, const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da, Tensor& db) {
  single(a) ? cpu::pairwise_distance_backward(metric, a, b, dd, da, db) : Shared::pairwise_distance_backward(metric, a, b, dd, da, db);
}
void CpuBackend::gaussian_kernel(const Tensor& d, const Tensor& sigma2, Tensor& k) {
  single(d) ? cpu::gaussian_kernel(d, sigma2, k) : Shared::gaussian_kernel(d, sigma2, k);
}

void CpuBackend::cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) {
  has_voxel_kernel(z) ? cpu::cross_entropy(z, labels, loss, count) : Shared::cross_entropy(z, labels, loss, count);
}
void CpuBackend::cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss, Tensor& dz) {
  has_voxel_kernel(z) ? cpu::cross_entropy_backward(z, labels, count, dloss, dz) : Shared::cross_entropy_backward(z, labels, count, dloss, dz);
}
void CpuBackend::soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss) {
  has_voxel_kernel(z) ? cpu::soft_cross_entropy(z, q, loss) : Shared::soft_cross_entropy(z, q, loss);
}
void CpuBackend::soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz) {
  has_voxel_kernel(z) ? cpu::soft_cross_entropy_backward(z, q, dloss, dz) : Shared::soft_cross_entropy_backward(z, q, dloss, dz);
}
void CpuBackend::dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums) {
  has_voxel_kernel(p) ? cpu::dice_sums(squared, p, y, labels, sums) : Shared::dice_sums(squared, p, y, labels, sums);
}

void CpuBackend::quantiles(std::int64_t skip, const std::vector<double>& q, const Tensor& x, Tensor& y) {
  cpu::quantiles(skip, q, x, y);
}

void CpuBackend::adam(const AdamSpec& spec, const Tensor& rates, const Tensor& open, const std::vector<AdamSlot>& slots) {
  cpu::adam(spec, rates, open, slots);
}
void CpuBackend::sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& open, const std::vector<SgdSlot>& slots) {
  cpu::sgd(spec, lr, open, slots);
}
void CpuBackend::average(const Tensor& alpha, const Tensor& open, const std::vector<std::pair<Tensor, Tensor>>& teacher_student) {
  cpu::average(alpha, open, teacher_student);
}

}  // namespace sagcl::ops::cpu
