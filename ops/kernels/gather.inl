#pragma once
#include "engine/place.h"
#include "engine/tensor.h"
#include "ops/backend.h"
#include "ops/kernels/exponential.h"

/// Rows of vectors: gather and scatter, L2 normalisation. Every backward gathers: an element of a gradient is written once,
/// its terms added in one order.
namespace sagcl::ops::kernels {

using engine::Dtype;
using engine::Tensor;
using engine::visit_any;
using engine::visit_float;

/// y[m, c] = x[index[m], c]
template <class T>
struct GatherRows {
  const T* x;
  const std::int32_t* index;
  T* y;
  std::int64_t columns;
  SAGCL_BOTH void operator()(std::int64_t m, std::int64_t c) const { y[m * columns + c] = x[index[m] * columns + c]; }
};

/// The first m that names row n, or -1.
struct FirstOccurrence {
  const std::int32_t* index;
  std::int64_t count;
  std::int32_t* first;
  SAGCL_BOTH void operator()(std::int64_t n) const {
    std::int64_t m = 0;
    while (m < count && index[m] != n) ++m;
    first[n] = m < count ? std::int32_t(m) : -1;
  }
};

/// The next m' > m that names the same row, or -1.
struct NextOccurrence {
  const std::int32_t* index;
  std::int64_t count;
  std::int32_t* next;
  SAGCL_BOTH void operator()(std::int64_t m) const {
    std::int64_t later = m + 1;
    while (later < count && index[later] != index[m]) ++later;
    next[m] = later < count ? std::int32_t(later) : -1;
  }
};

/// dx[n, c] = Σ dy[m, c] over the chain of m that name row n
template <class T>
struct ScatterRows {
  const std::int32_t *first, *next;
  const T* dy;
  T* dx;
  std::int64_t columns;
  SAGCL_BOTH void operator()(std::int64_t n, std::int64_t c) const {
    T sum = 0;
    for (std::int32_t m = first[n]; m >= 0; m = next[m]) sum += dy[m * columns + c];
    dx[n * columns + c] = sum;
  }
};

template <class Launch>
void gather_rows(const Tensor& x, const Tensor& index, Tensor& y) {
  const std::int64_t rows = index.size();
  if (y.size() == 0) return;
  visit_any(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(rows, y.size() / rows,
                     GatherRows<T>{x.data<T>(), index.data<std::int32_t>(), y.data<T>(), y.size() / rows});
  });
}

template <class Launch>
void scatter_rows(const Tensor& index, const Tensor& dy, Tensor& dx) {
  const std::int64_t rows = dx.shape()[0], count = index.size();
  if (dx.size() == 0) return;
  Tensor first = Tensor::empty({rows}, Dtype::i32, dx.device()), next = Tensor::empty({count}, Dtype::i32, dx.device());
  const std::int32_t* named = index.data<std::int32_t>();
  Launch::for_each(rows, FirstOccurrence{named, count, first.data<std::int32_t>()});
  Launch::for_each(count, NextOccurrence{named, count, next.data<std::int32_t>()});
  visit_float(dx.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = dx.size() / rows;
    Launch::for_rows(
        rows, columns,
        ScatterRows<T>{first.data<std::int32_t>(), next.data<std::int32_t>(), dy.data<T>(), dx.data<T>(), columns});
  });
}

/// One row: n = max(|x|, eps), y = x / n. The squares are added in double, so neither end of float's range is lost.
template <class T>
struct L2Normalize {
  const T* x;
  T *y, *norm;
  std::int64_t columns;
  double eps;
  SAGCL_BOTH void operator()(std::int64_t r) const {
    const T* row = x + r * columns;
    double squares = 0;
    for (std::int64_t c = 0; c < columns; ++c) squares += double(row[c]) * double(row[c]);
    const double length = std::sqrt(squares), n = length > eps ? length : eps;
    norm[r] = T(n);
    for (std::int64_t c = 0; c < columns; ++c) y[r * columns + c] = T(double(row[c]) / n);
  }
};

/// dx = (dy - y (y·dy)) / n; where the norm was raised to eps it is a constant and dx = dy / eps.
template <class T>
struct L2NormalizeBackward {
  const T *y, *norm, *dy;
  T* dx;
  std::int64_t columns;
  T eps;
  SAGCL_BOTH void operator()(std::int64_t r) const {
    const T *u = y + r * columns, *g = dy + r * columns;
    double along = 0;
    if (norm[r] > eps)
      for (std::int64_t c = 0; c < columns; ++c) along += double(u[c]) * double(g[c]);
    for (std::int64_t c = 0; c < columns; ++c)
      dx[r * columns + c] = T((double(g[c]) - double(u[c]) * along) / double(norm[r]));
  }
};

template <class Launch>
void l2_normalise(double eps, const Tensor& x, Tensor& y, Tensor& norm) {
  visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(norm.size(), L2Normalize<T>{x.data<T>(), y.data<T>(), norm.data<T>(), x.shape().back(), eps});
  });
}

template <class Launch>
void l2_normalise_backward(double eps, const Tensor& y, const Tensor& norm, const Tensor& dy, Tensor& dx) {
  visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(norm.size(), L2NormalizeBackward<T>{y.data<T>(), norm.data<T>(), dy.data<T>(), dx.data<T>(),
                                                         y.shape().back(), T(eps)});
  });
}

}  // namespace sagcl::ops::kernels

#include "ops/kernels/distance.inl"
