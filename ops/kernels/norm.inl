#pragma once
// Normalisation in sets of equal statistics (NormGeometry). x is seen as [outer, rows, C] with outer = N / images and
// rows = images · V. What differs between sets is put in small tables of [outer, C] first, so that the passes over x
// touch one row of channels after another without dividing indices.
#include <array>
#include <cmath>

#include "ops/backend.h"

namespace sagcl::ops::kernels {

template <class T>
struct NormValue {
  std::int64_t rows, C;
  const T* x;
  SAGCL_BOTH std::array<T, 1> operator()(std::int64_t o, std::int64_t r, std::int64_t c) const {
    return {{x[(o * rows + r) * C + c]}};
  }
};

template <class T>
struct NormDeviation {
  std::int64_t rows, C;
  const T* x;
  const double* mean;  // [outer, C]
  SAGCL_BOTH std::array<T, 1> operator()(std::int64_t o, std::int64_t r, std::int64_t c) const {
    const T d = T(x[(o * rows + r) * C + c] - mean[o * C + c]);
    return {{d * d}};
  }
};

/// value[o,c] = Σ over the channels of c's set of sums[o,·] / count, in the order of the channels.
struct SetMean {
  std::int64_t C, channels;
  double count;
  const double* sums;
  double* value;
  SAGCL_BOTH void operator()(std::int64_t oc) const {
    const std::int64_t first = oc / C * C + oc % C / channels * channels;
    double total = 0;
    for (std::int64_t c = first; c < first + channels; ++c) total += sums[c];
    value[oc] = total / count;
  }
};

/// One value per set out of a table of [outer, C].
template <class T>
struct PickSets {
  std::int64_t channels;
  const double* table;
  T* value;
  SAGCL_BOTH void operator()(std::int64_t set) const { value[set] = T(table[set * channels]); }
};

template <class Launch>
void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t outer = g.N / g.images, rows = g.images * g.V, cells = outer * g.C;
    Tensor scratch = Tensor::empty({3, cells}, engine::Dtype::f64, x.device());
    double *sums = scratch.template data<double>(), *means = sums + cells, *variances = means + cells;
    const T* in = x.template data<T>();
    const SetMean average{g.C, g.channels, double(g.count()), sums, nullptr};
    SetMean step = average;
    Launch::template column_sums<1, T>(outer, rows, g.C, NormValue<T>{rows, g.C, in}, sums);
    step.value = means;
    Launch::for_each(cells, step);
    Launch::template column_sums<1, T>(outer, rows, g.C, NormDeviation<T>{rows, g.C, in, means}, sums);
    step.value = variances;
    Launch::for_each(cells, step);
    Launch::for_each(g.sets(), PickSets<T>{g.channels, means, mean.template data<T>()});
    Launch::for_each(g.sets(), PickSets<T>{g.channels, variances, variance.template data<T>()});
  });
}

/// What the passes over x need of a channel.
template <class T>
struct NormCell {
  T mean, inverse;  // 1 / sqrt(variance + eps)
  T gamma, beta;
  T pull, pull_x;  // backward: means over the set of γ g and of γ g x̂
};

template <class T>
struct FillCells {
  std::int64_t C, channels;
  double eps;
  const T *mean, *variance, *gamma, *beta;
  NormCell<T>* cells;
  SAGCL_BOTH void operator()(std::int64_t oc) const {
    const std::int64_t c = oc % C, set = oc / C * (C / channels) + c / channels;
    cells[oc] = NormCell<T>{mean[set], T(1 / std::sqrt(double(variance[set]) + eps)), gamma[c], beta[c], T(0), T(0)};
  }
};

template <class T>
struct NormApply {
  std::int64_t C;
  T slope;
  const T* x;
  const NormCell<T>* cells;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const {
    const NormCell<T>& k = cells[c];
    const T v = (x[r * C + c] - k.mean) * k.inverse * k.gamma + k.beta;
    y[r * C + c] = v * (v > 0 ? T(1) : slope);  // a choice of constants, never a branch: signs are random
  }
};

template <class Launch, class T>
Tensor norm_cells(const NormGeometry& g, double eps, const Tensor& mean, const Tensor& variance, const Tensor& gamma,
                  const Tensor& beta) {
  const std::int64_t cells = g.N / g.images * g.C, values = std::int64_t(sizeof(NormCell<T>) / sizeof(T));
  Tensor table = Tensor::empty({cells, values}, engine::dtype_of<T>, mean.device());
  Launch::for_each(cells, FillCells<T>{g.C, g.channels, eps, mean.template data<T>(), variance.template data<T>(),
                                       gamma.template data<T>(), beta.template data<T>(),
                                       static_cast<NormCell<T>*>(table.bytes_begin())});
  return table;
}

template <class Launch>
void norm_apply(const NormOperands& n, Tensor& y) {
  engine::visit_float(n.x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const auto& [g, act, eps, x, mean, variance, gamma, beta] = n;
    const Tensor table = norm_cells<Launch, T>(g, eps, mean, variance, gamma, beta);
    const auto* cells = static_cast<const NormCell<T>*>(table.bytes_begin());
    const std::int64_t outer = g.N / g.images, rows = g.images * g.V;
    for (std::int64_t o = 0; o < outer; ++o)
      Launch::for_rows(rows, g.C,
                       NormApply<T>{g.C, T(act.slope), x.template data<T>() + o * rows * g.C, cells + o * g.C,
                                    y.template data<T>() + o * rows * g.C});
  });
}

/// x̂ and the gradient g that arrives at γ x̂ + β, after the activation's mask.
template <class T>
struct NormTerms {
  T normal, g;
  SAGCL_BOTH NormTerms(const NormCell<T>& k, T slope, T x, T dy) {
    normal = (x - k.mean) * k.inverse;
    g = dy * (normal * k.gamma + k.beta > 0 ? T(1) : slope);
  }
};

/// Σ g and Σ g x̂ of each channel.
template <class T>
struct NormSums {
  std::int64_t rows, C;
  T slope;
  const T *x, *dy;
  const NormCell<T>* cells;
  SAGCL_BOTH std::array<T, 2> operator()(std::int64_t o, std::int64_t r, std::int64_t c) const {
    const std::int64_t i = (o * rows + r) * C + c;
    const NormTerms<T> t(cells[o * C + c], slope, x[i], dy[i]);
    return {{t.g, t.g * t.normal}};
  }
};

/// From the sums to dγ, dβ (one channel c per call) …
template <class T>
struct NormParameters {
  std::int64_t outer, C;
  const double* sums;  // [2, outer, C]
  T *dgamma, *dbeta;
  SAGCL_BOTH void operator()(std::int64_t c) const {
    double g = 0, gx = 0;
    for (std::int64_t o = 0; o < outer; ++o) g += sums[o * C + c], gx += sums[(outer + o) * C + c];
    dbeta[c] = T(g);
    dgamma[c] = T(gx);
  }
};

/// … and to the means over each set that x's gradient needs (one cell per call).
template <class T>
struct NormPull {
  std::int64_t outer, C, channels;
  double count;
  const double* sums;
  NormCell<T>* cells;
  SAGCL_BOTH void operator()(std::int64_t oc) const {
    const std::int64_t first = oc / C * C + oc % C / channels * channels;
    double g = 0, gx = 0;
    for (std::int64_t c = first; c < first + channels; ++c)
      g += double(cells[c].gamma) * sums[c], gx += double(cells[c].gamma) * sums[outer * C + c];
    cells[oc].pull = T(g / count);
    cells[oc].pull_x = T(gx / count);
  }
};

/// dx = (γ g - mean(γ g) - x̂ mean(γ g x̂)) / sqrt(variance + eps); the means are 0 when the statistics are constants.
template <class T>
struct NormInput {
  std::int64_t C;
  T slope;
  const T *x, *dy;
  const NormCell<T>* cells;
  T* dx;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const {
    const NormCell<T>& k = cells[c];
    const NormTerms<T> t(k, slope, x[r * C + c], dy[r * C + c]);
    dx[r * C + c] = k.inverse * (k.gamma * t.g - k.pull - t.normal * k.pull_x);
  }
};

template <class Launch>
void norm_backward(const NormOperands& n, bool fixed, const Tensor& dy, Tensor& dx, Tensor& dgamma, Tensor& dbeta) {
  engine::visit_float(n.x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const auto& [g, act, eps, x, mean, variance, gamma, beta] = n;
    const std::int64_t outer = g.N / g.images, rows = g.images * g.V, each = rows * g.C;
    const T *in = x.template data<T>(), *d = dy.template data<T>();
    const Tensor table = norm_cells<Launch, T>(g, eps, mean, variance, gamma, beta);
    auto* cells = static_cast<NormCell<T>*>(table.bytes_begin());
    Tensor scratch = Tensor::empty({2, outer, g.C}, engine::Dtype::f64, x.device());
    double* sums = scratch.template data<double>();
    Launch::template column_sums<2, T>(outer, rows, g.C, NormSums<T>{rows, g.C, T(act.slope), in, d, cells}, sums);
    Launch::for_each(g.C, NormParameters<T>{outer, g.C, sums, dgamma.template data<T>(), dbeta.template data<T>()});
    if (!fixed) Launch::for_each(outer * g.C, NormPull<T>{outer, g.C, g.channels, double(g.count()), sums, cells});
    for (std::int64_t o = 0; o < outer; ++o)
      Launch::for_rows(
          rows, g.C,
          NormInput<T>{g.C, T(act.slope), in + o * each, d + o * each, cells + o * g.C, dx.template data<T>() + o * each});
  });
}

}  // namespace sagcl::ops::kernels
