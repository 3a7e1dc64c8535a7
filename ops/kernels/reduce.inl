#pragma once
// Sums over the middle of [outer, reduced, inner], and their gradient, which spreads a value back over it.
#include <array>

#include "ops/backend.h"

namespace sagcl::ops::kernels {

template <class T>
struct Element {
  std::int64_t reduced, inner;
  const T* x;
  SAGCL_BOTH std::array<T, 1> operator()(std::int64_t o, std::int64_t r, std::int64_t i) const {
    return {{x[(o * reduced + r) * inner + i]}};
  }
};

template <class T>
struct ScaledTotal {
  double scale;
  const double* total;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = T(scale * total[i]); }
};

template <class Launch>
void sum(const Tensor& x, const Axes& v, double scale, Tensor& y) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Tensor total = Tensor::empty({v.outer * v.inner}, engine::Dtype::f64, x.device());
    double* t = total.template data<double>();
    Launch::template column_sums<1, T>(v.outer, v.reduced, v.inner, Element<T>{v.reduced, v.inner, x.template data<T>()}, t);
    Launch::for_each(v.outer * v.inner, ScaledTotal<T>{scale, t, y.template data<T>()});
  });
}

template <class T>
struct Spread {
  T scale;
  std::int64_t reduced, columns;
  const T* y;
  T* x;
  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    x[r * columns + c] = scale * y[r / I(reduced) * columns + c];
  }
};

template <class Launch>
void expand(const Tensor& y, const Axes& v, double scale, Tensor& x) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(v.outer * v.reduced, v.inner,
                     Spread<T>{T(scale), v.reduced, v.inner, y.template data<T>(), x.template data<T>()});
  });
}

}  // namespace sagcl::ops::kernels
