#pragma once
#include <array>

#include "engine/tensor.h"
#include "ops/backend.h"
#include "ops/kernels/exponential.h"

/// Losses over voxels. A row holds the scores or probabilities of one voxel's classes. What a loss divides by is itself a
/// result on the device: nothing here waits for the host.
namespace sagcl::ops::kernels {

using engine::Tensor;
using engine::visit_float;

/// A voxel's scores: their maximum m and Σ e^(z - m).
template <class T>
struct RowSoftmax {
  T largest, sum;
  SAGCL_BOTH RowSoftmax(const T* z, std::int64_t classes) : largest(z[0]), sum(0) {
    for (std::int64_t c = 1; c < classes; ++c) largest = z[c] > largest ? z[c] : largest;
    for (std::int64_t c = 0; c < classes; ++c) sum += exponential(z[c] - largest);
  }
  SAGCL_BOTH T log_sum() const { return logarithm(sum) + largest; }
  SAGCL_BOTH T probability(T z) const { return exponential(z - largest) / sum; }
};

/// { log Σ e^z - z_t, 1 } for a counted row, else zeros.
template <class T>
struct CrossEntropyTerm {
  const T* z;
  const std::int32_t* labels;
  std::int64_t classes;
  SAGCL_BOTH std::array<T, 2> operator()(std::int64_t, std::int64_t r, std::int64_t) const {
    const std::int32_t t = labels[r];
    if (t < 0) return {{T(0), T(0)}};
    const T* row = z + r * classes;
    return {{RowSoftmax<T>(row, classes).log_sum() - row[t], T(1)}};
  }
};

/// loss = sums[0] / max(1, sums[1])
template <class T>
struct MeanOfCounted {
  const T* sums;
  T *loss, *count;
  SAGCL_BOTH void operator()(std::int64_t) const {
    count[0] = sums[1];
    loss[0] = sums[0] / (sums[1] > 1 ? sums[1] : T(1));
  }
};

/// dz[r, c] = (p_c - [c = t]) dloss / max(1, count)
template <class T>
struct CrossEntropyBackward {
  const T* z;
  const std::int32_t* labels;
  const T *count, *dloss;
  T* dz;
  std::int64_t classes;
  SAGCL_BOTH void operator()(std::int64_t r) const {
    const T *row = z + r * classes, weight = dloss[0] / (count[0] > 1 ? count[0] : T(1));
    const std::int32_t t = labels[r];
    T* d = dz + r * classes;
    if (t < 0) {
      for (std::int64_t c = 0; c < classes; ++c) d[c] = 0;
      return;
    }
    const RowSoftmax<T> s(row, classes);
    for (std::int64_t c = 0; c < classes; ++c) d[c] = (s.probability(row[c]) - T(c == t)) * weight;
  }
};

template <class Launch>
void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count) {
  visit_float(z.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Tensor sums = Tensor::empty({2}, z.dtype(), z.device());
    Launch::template column_sums<2, T, T>(1, labels.size(), 1,
                                          CrossEntropyTerm<T>{z.data<T>(), labels.data<std::int32_t>(), z.shape().back()},
                                          sums.data<T>());
    Launch::for_each(1, MeanOfCounted<T>{sums.data<T>(), loss.data<T>(), count.data<T>()});
  });
}

template <class Launch>
void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss, Tensor& dz) {
  visit_float(z.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(labels.size(), CrossEntropyBackward<T>{z.data<T>(), labels.data<std::int32_t>(), count.data<T>(),
                                                            dloss.data<T>(), dz.data<T>(), z.shape().back()});
  });
}

/// -Σ_c q_c (z_c - log Σ e^z) / rows
template <class T>
struct SoftCrossEntropyTerm {
  const T *z, *q;
  std::int64_t classes;
  T rows;
  SAGCL_BOTH std::array<T, 1> operator()(std::int64_t, std::int64_t r, std::int64_t) const {
    const T *row = z + r * classes, *target = q + r * classes;
    const T log_sum = RowSoftmax<T>(row, classes).log_sum();
    T sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += target[c] * (log_sum - row[c]);
    return {{sum / rows}};
  }
};

/// dz[r, c] = (p_c Σ_k q_k - q_c) dloss / rows; the targets of a row need not sum to one.
template <class T>
struct SoftCrossEntropyBackward {
  const T *z, *q, *dloss;
  T* dz;
  std::int64_t classes;
  T rows;
  SAGCL_BOTH void operator()(std::int64_t r) const {
    const T *row = z + r * classes, *target = q + r * classes, weight = dloss[0] / rows;
    T* d = dz + r * classes;
    T mass = 0;
    for (std::int64_t c = 0; c < classes; ++c) mass += target[c];
    const RowSoftmax<T> s(row, classes);
    for (std::int64_t c = 0; c < classes; ++c) d[c] = (s.probability(row[c]) * mass - target[c]) * weight;
  }
};

template <class Launch>
void soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss) {
  visit_float(z.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t classes = z.shape().back(), rows = z.size() / classes;
    Launch::template column_sums<1, T, T>(1, rows, 1, SoftCrossEntropyTerm<T>{z.data<T>(), q.data<T>(), classes, T(rows)},
                                          loss.data<T>());
  });
}

template <class Launch>
void soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz) {
  visit_float(z.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t classes = z.shape().back(), rows = z.size() / classes;
    Launch::for_each(rows,
                     SoftCrossEntropyBackward<T>{z.data<T>(), q.data<T>(), dloss.data<T>(), dz.data<T>(), classes, T(rows)});
  });
}

}  // namespace sagcl::ops::kernels

#include "ops/kernels/dice.inl"
