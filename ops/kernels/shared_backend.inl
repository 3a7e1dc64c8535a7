#pragma once
// Every kernel of the contract that needs no vendor library, for any launcher. A device adds products, convolution and
// decompositions, and may override a kernel here by a faster one.
#include "ops/backend.h"
#include "ops/kernels/arithmetic.inl"
#include "ops/kernels/cross_entropy.inl"
#include "ops/kernels/distance.inl"
#include "ops/kernels/dropout.inl"
#include "ops/kernels/gather.inl"
#include "ops/kernels/layout.inl"
#include "ops/kernels/norm.inl"
#include "ops/kernels/pool.inl"
#include "ops/kernels/reduce.inl"
#include "ops/kernels/resize.inl"
#include "ops/kernels/selection.inl"
#include "ops/kernels/softmax.inl"
#include "ops/kernels/updates.inl"

namespace sagcl::ops {

template <class Launch>
class SharedBackend : public Backend {
 public:
  void unary(Unary f, double a, const Tensor& x, Tensor& y) override { kernels::unary<Launch>(f, a, x, y); }
  void unary_backward(Unary f, double a, const Tensor& x, const Tensor& y, const Tensor& dy, Tensor& dx) override {
    kernels::unary_backward<Launch>(f, a, x, y, dy, dx);
  }
  void binary(Binary f, const Tensor& a, const Tensor& b, Tensor& y) override { kernels::binary<Launch>(f, a, b, y); }
  void scale_add(double alpha, const Tensor& x, double beta, const Tensor& z, Tensor& y) override {
    kernels::scale_add<Launch>(alpha, x, beta, z, y);
  }
  void scale_by(const Tensor& factor, const Tensor& x, Tensor& y) override { kernels::scale_by<Launch>(factor, x, y); }
  void close_unless_finite(const Tensor& x, Tensor& gate) override { kernels::close_unless_finite<Launch>(x, gate); }
  void add_scalar(const Tensor& x, double c, Tensor& y) override { kernels::add_scalar<Launch>(x, c, y); }
  void clamp(const Tensor& x, double low, double high, Tensor& y) override { kernels::clamp<Launch>(x, low, high, y); }
  void convert(const Tensor& x, Tensor& y) override { kernels::convert<Launch>(x, y); }
  void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) override { kernels::dropout<Launch>(spec, x, y); }
  void sum(const Tensor& x, const Axes& v, double scale, Tensor& y) override { kernels::sum<Launch>(x, v, scale, y); }
  void expand(const Tensor& y, const Axes& v, double scale, Tensor& x) override { kernels::expand<Launch>(y, v, scale, x); }
  void softmax(bool logarithm, const Tensor& x, Tensor& y) override { kernels::softmax<Launch>(logarithm, x, y); }
  void softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) override {
    kernels::softmax_backward<Launch>(logarithm, y, dy, dx);
  }
  void most_likely(double least, const Tensor& x, Tensor& labels) override {
    kernels::most_likely<Launch>(least, x, labels);
  }
  void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) override {
    kernels::max_pool<Launch>(g, x, y, index);
  }
  void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) override {
    kernels::max_pool_backward<Launch>(g, index, dy, dx);
  }
  void average_pool(const PoolGeometry& g, const Tensor& x, Tensor& y) override { kernels::average_pool<Launch>(g, x, y); }
  void average_pool_backward(const PoolGeometry& g, const Tensor& dy, Tensor& dx) override {
    kernels::average_pool_backward<Launch>(g, dy, dx);
  }
  void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) override { kernels::resize<Launch>(g, x, y); }
  void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) override {
    kernels::resize_backward<Launch>(g, dy, dx);
  }
  void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) override {
    kernels::norm_statistics<Launch>(g, x, mean, variance);
  }
  void norm_apply(const NormOperands& n, Tensor& y) override { kernels::norm_apply<Launch>(n, y); }
  void norm_backward(const NormOperands& n, bool fixed, const Tensor& dy, Tensor& dx, Tensor& dgamma,
                     Tensor& dbeta) override {
    kernels::norm_backward<Launch>(n, fixed, dy, dx, dgamma, dbeta);
  }
  void copy_block(const BlockCopy& block, const Tensor& x, Tensor& y) override { kernels::copy_block<Launch>(block, x, y); }
  void patches(const Extents& grid, bool inverse, const Tensor& x, Tensor& y) override {
    kernels::patches<Launch>(grid, inverse, x, y);
  }
  void gather_rows(const Tensor& x, const Tensor& index, Tensor& y) override { kernels::gather_rows<Launch>(x, index, y); }
  void scatter_rows(const Tensor& index, const Tensor& dy, Tensor& dx) override {
    kernels::scatter_rows<Launch>(index, dy, dx);
  }
  void l2_normalise(double eps, const Tensor& x, Tensor& y, Tensor& norm) override {
    kernels::l2_normalise<Launch>(eps, x, y, norm);
  }
  void l2_normalise_backward(double eps, const Tensor& y, const Tensor& norm, const Tensor& dy, Tensor& dx) override {
    kernels::l2_normalise_backward<Launch>(eps, y, norm, dy, dx);
  }
  void pairwise_distance(Metric metric, const Tensor& a, const Tensor& b, Tensor& d) override {
    kernels::pairwise_distance<Launch>(metric, a, b, d);
  }
  void pairwise_distance_backward(Metric metric, const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da,
                                  Tensor& db) override {
    kernels::pairwise_distance_backward<Launch>(metric, a, b, dd, da, db);
  }
  void gaussian_kernel(const Tensor& d, const Tensor& sigma2, Tensor& k) override {
    kernels::gaussian_kernel<Launch>(d, sigma2, k);
  }
  void gaussian_kernel_backward(const Tensor& k, const Tensor& sigma2, const Tensor& dk, Tensor& dd) override {
    kernels::gaussian_kernel_backward<Launch>(k, sigma2, dk, dd);
  }
  void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) override {
    kernels::cross_entropy<Launch>(z, labels, loss, count);
  }
  void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss,
                              Tensor& dz) override {
    kernels::cross_entropy_backward<Launch>(z, labels, count, dloss, dz);
  }
  void soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss) override {
    kernels::soft_cross_entropy<Launch>(z, q, loss);
  }
  void soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz) override {
    kernels::soft_cross_entropy_backward<Launch>(z, q, dloss, dz);
  }
  void dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums) override {
    kernels::dice_sums<Launch>(squared, p, y, labels, sums);
  }
  void dice_backward(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, const Tensor& coefficients,
                     Tensor& dp) override {
    kernels::dice_backward<Launch>(squared, p, y, labels, coefficients, dp);
  }
  void dice_loss(double smooth, std::int64_t first, const Tensor& sums, Tensor& loss) override {
    kernels::dice_loss<Launch>(smooth, first, sums, loss);
  }
  void dice_coefficients(double smooth, std::int64_t first, const Tensor& sums, const Tensor& dloss,
                         Tensor& coefficients) override {
    kernels::dice_coefficients<Launch>(smooth, first, sums, dloss, coefficients);
  }
  void quantiles(std::int64_t skip, const std::vector<double>& q, const Tensor& x, Tensor& y) override {
    kernels::quantiles<Launch>(skip, q, x, y);
  }
  void unit_range(const Tensor& x, const Tensor& range, Tensor& y) override { kernels::unit_range<Launch>(x, range, y); }
  void top_rows(double least, const Tensor& score, const Tensor& weight, Tensor& picks, Tensor& counted) override {
    kernels::top_rows<Launch>(least, score, weight, picks, counted);
  }
  void choose(const Tensor& mask, const Tensor& a, const Tensor& b, Tensor& y) override {
    kernels::choose<Launch>(mask, a, b, y);
  }
  void one_hot(const Tensor& labels, Tensor& y) override { kernels::one_hot<Launch>(labels, y); }
  void diagonal(const Tensor& a, Tensor& y) override { kernels::diagonal<Launch>(a, y); }
  void below(const Tensor& x, const Tensor& limit, Tensor& y) override { kernels::below<Launch>(x, limit, y); }
  void add_noise(const engine::RandomKey& key, double scale, double most, const Tensor& x, Tensor& y) override {
    kernels::add_noise<Launch>(key, scale, most, x, y);
  }
  void uniform(const engine::RandomKey& key, double low, double high, Tensor& y) override {
    kernels::uniform<Launch>(key, low, high, y);
  }
  void draw_rows(const Tensor& weight, const Tensor& u, Tensor& sums, Tensor& picks) override {
    kernels::draw_rows<Launch>(weight, u, sums, picks);
  }
  void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots) override {
    kernels::adam<Launch>(spec, rates, gate, slots);
  }
  void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots) override {
    kernels::sgd<Launch>(spec, lr, gate, slots);
  }
  void average(const Tensor& alpha, const Tensor& gate,
               const std::vector<std::pair<Tensor, Tensor>>& teacher_student) override {
    kernels::average<Launch>(alpha, gate, teacher_student);
  }
};

/// A backend whose functions, but for convolutions, also take activations in bf16, where the contract says so: widened to
/// f32, computed by Base, rounded. This is what they mean on every device; a device may do the same in one pass.
template <class Base>
class Widened : public Base {
 public:
  void unary(Unary f, double a, const Tensor& x, Tensor& y) override {
    narrow(y, [&](Tensor& to) { Base::unary(f, a, wide(x), to); });
  }
  void unary_backward(Unary f, double a, const Tensor& x, const Tensor& y, const Tensor& dy, Tensor& dx) override {
    narrow(dx, [&](Tensor& to) { Base::unary_backward(f, a, wide(x), wide(y), wide(dy), to); });
  }
  void binary(Binary f, const Tensor& a, const Tensor& b, Tensor& y) override {
    narrow(y, [&](Tensor& to) { Base::binary(f, wide(a), wide(b), to); });
  }
  void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y) override {
    narrow(y, [&](Tensor& to) { Base::dropout(spec, wide(x), to); });
  }
  void sum(const Tensor& x, const Axes& v, double scale, Tensor& y) override { Base::sum(wide(x), v, scale, y); }
  void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) override {
    narrow(y, [&](Tensor& to) { Base::max_pool(g, wide(x), to, index); });
  }
  void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) override {
    narrow(dx, [&](Tensor& to) { Base::max_pool_backward(g, index, wide(dy), to); });
  }
  void average_pool(const PoolGeometry& g, const Tensor& x, Tensor& y) override {
    narrow(y, [&](Tensor& to) { Base::average_pool(g, wide(x), to); });
  }
  void average_pool_backward(const PoolGeometry& g, const Tensor& dy, Tensor& dx) override {
    narrow(dx, [&](Tensor& to) { Base::average_pool_backward(g, wide(dy), to); });
  }
  void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) override {
    narrow(y, [&](Tensor& to) { Base::resize(g, wide(x), to); });
  }
  void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) override {
    narrow(dx, [&](Tensor& to) { Base::resize_backward(g, wide(dy), to); });
  }
  void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) override {
    Base::norm_statistics(g, wide(x), mean, variance);
  }
  void norm_apply(const NormOperands& n, Tensor& y) override {
    const Tensor x = wide(n.x);
    narrow(y, [&](Tensor& to) { Base::norm_apply({n.g, n.act, n.eps, x, n.mean, n.variance, n.gamma, n.beta}, to); });
  }
  void norm_backward(const NormOperands& n, bool fixed, const Tensor& dy, Tensor& dx, Tensor& dgamma,
                     Tensor& dbeta) override {
    const Tensor x = wide(n.x);
    const NormOperands operands{n.g, n.act, n.eps, x, n.mean, n.variance, n.gamma, n.beta};
    narrow(dx, [&](Tensor& to) { Base::norm_backward(operands, fixed, wide(dy), to, dgamma, dbeta); });
  }

 protected:
  static bool is_bf16(const Tensor& t) { return t.dtype() == engine::Dtype::bf16; }

  Tensor wide(const Tensor& x) {
    if (!is_bf16(x)) return x;
    Tensor y = Tensor::empty(x.shape(), engine::Dtype::f32, x.device());
    this->convert(x, y);
    return y;
  }

  /// f(y), or f of an f32 tensor which is rounded into y.
  template <class F>
  void narrow(Tensor& y, F f) {
    if (!is_bf16(y)) return f(y);
    Tensor computed = Tensor::empty(y.shape(), engine::Dtype::f32, y.device());
    f(computed);
    this->convert(computed, y);
  }
};

/// The same with convolutions, which multiply activations in bf16 by weights that are rounded likewise.
template <class Base>
class WidenedWithConvolutions : public Widened<Base> {
 public:
  void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) override {
    this->narrow(y, [&](Tensor& to) { Base::conv_forward(g, this->wide(x), like(x, w), like(x, b), to); });
  }
  void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) override {
    this->narrow(dx, [&](Tensor& to) { Base::conv_backward_data(g, like(dy, w), this->wide(dy), like(dy, b), to); });
  }
  void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) override {
    Base::conv_backward_weight(g, this->wide(x), this->wide(dy), dw);
  }

 private:
  /// A weight as it is multiplied with such activations.
  Tensor like(const Tensor& activations, const Tensor& weight) {
    if (!this->is_bf16(activations) || !weight.defined()) return weight;
    Tensor rounded = Tensor::empty(weight.shape(), engine::Dtype::bf16, weight.device());
    this->convert(weight, rounded);
    return this->wide(rounded);
  }
};

}  // namespace sagcl::ops
