#pragma once
// Softmax over the last axis, one row per call. Rows are shifted by their maximum, so no exponential overflows.
#include <cmath>

#include "ops/backend.h"

namespace sagcl::ops::kernels {

template <class T, bool logarithm>
struct Softmax {
  std::int64_t columns;
  const T* x;
  T* y;

  SAGCL_BOTH void operator()(std::int64_t row) const {
    const T* in = x + row * columns;
    T* out = y + row * columns;
    T top = in[0];
    for (std::int64_t c = 1; c < columns; ++c) top = in[c] > top ? in[c] : top;
    T sum = 0;
    for (std::int64_t c = 0; c < columns; ++c) sum += std::exp(in[c] - top);
    if constexpr (logarithm) {
      const T log_sum = std::log(sum);
      for (std::int64_t c = 0; c < columns; ++c) out[c] = (in[c] - top) - log_sum;
    } else {
      for (std::int64_t c = 0; c < columns; ++c) out[c] = std::exp(in[c] - top) / sum;
    }
  }
};

/// dx = y (dy - Σ y dy); for the logarithm dx = dy - e^y Σ dy.
template <class T>
struct SoftmaxBackward {
  bool logarithm;
  std::int64_t columns;
  const T *y, *dy;
  T* dx;

  SAGCL_BOTH void operator()(std::int64_t row) const {
    const T *out = y + row * columns, *d = dy + row * columns;
    T* r = dx + row * columns;
    T sum = 0;
    for (std::int64_t c = 0; c < columns; ++c) sum += logarithm ? d[c] : out[c] * d[c];
    for (std::int64_t c = 0; c < columns; ++c) r[c] = logarithm ? d[c] - std::exp(out[c]) * sum : out[c] * (d[c] - sum);
  }
};

template <class Launch>
void softmax(bool logarithm, const Tensor& x, Tensor& y) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = x.shape().back(), rows = x.size() / columns;
    const T* in = x.template data<T>();
    T* out = y.template data<T>();
    if (logarithm) Launch::for_each(rows, Softmax<T, true>{columns, in, out});
    else Launch::for_each(rows, Softmax<T, false>{columns, in, out});
  });
}

template <class Launch>
void softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = y.shape().back();
    Launch::for_each(y.size() / columns, SoftmaxBackward<T>{logarithm, columns, y.template data<T>(), dy.template data<T>(),
                                                            dx.template data<T>()});
  });
}

template <class T>
struct MostLikely {
  T least;
  std::int64_t columns;
  const T* x;
  std::int32_t* labels;

  SAGCL_BOTH void operator()(std::int64_t row) const {
    const T* in = x + row * columns;
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < columns; ++c) best = in[c] > in[best] ? c : best;
    labels[row] = in[best] < least ? -1 : std::int32_t(best);
  }
};

template <class Launch>
void most_likely(double least, const Tensor& x, Tensor& labels) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each(labels.size(),
                     MostLikely<T>{T(least), x.shape().back(), x.template data<T>(), labels.template data<std::int32_t>()});
  });
}

}  // namespace sagcl::ops::kernels
