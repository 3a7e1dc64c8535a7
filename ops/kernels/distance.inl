#pragma once
#include <array>

#include "ops/backend.h"

/// Pairwise distances of two sets of vectors, by differences: the expansion |a|² + |b|² - 2 a·b is faster but loses all
/// digits where a and b are close, which is where well-trained features end up.
namespace sagcl::ops::kernels {

using engine::Tensor;
using engine::visit_float;

template <Metric metric, class T>
SAGCL_BOTH T distance_term(T difference) {
  return metric == Metric::squared_l2 ? difference * difference : (difference < 0 ? -difference : difference);
}

/// The derivative of distance_term(); 0 at 0.
template <Metric metric, class T>
SAGCL_BOTH T distance_slope(T difference) {
  return metric == Metric::squared_l2 ? 2 * difference : T(difference > 0) - T(difference < 0);
}

/// a [graphs, n, length] and b [graphs, m, length].
template <class T>
struct VectorPairs {
  const T *a, *b;
  std::int64_t n, m, length;
};

/// d[r, j], r = (graph, i): one sum per call, for short vectors.
template <class T, Metric metric>
struct ShortDistance {
  VectorPairs<T> v;
  T* d;
  template <class I>
  SAGCL_BOTH void operator()(I r, I j) const {
    const T *a = v.a + r * v.length, *b = v.b + (r / I(v.n) * v.m + j) * v.length;
    T sum = 0;
    for (std::int64_t k = 0; k < v.length; ++k) sum += distance_term<metric>(a[k] - b[k]);
    d[r * v.m + j] = sum;
  }
};

/// Term k of the sum with number pair = (graph, i, j), for vectors long enough to spread one sum over many threads.
template <class T, Metric metric>
struct DistanceTerm {
  VectorPairs<T> v;
  template <class I>
  SAGCL_BOTH std::array<T, 1> operator()(I pair, std::int64_t k, std::int64_t) const {
    const I n = I(v.n), m = I(v.m), r = pair / m, j = pair % m;
    return {{distance_term<metric>(v.a[r * v.length + k] - v.b[(r / n * v.m + j) * v.length + k])}};
  }
};

/// da[r, k] = Σ_j dd[r, j] slope(a[r, k] - b[j, k])
template <class T, Metric metric>
struct DistanceBackwardA {
  VectorPairs<T> v;
  const T* dd;
  T* da;
  template <class I>
  SAGCL_BOTH void operator()(I r, I k) const {
    const T a = v.a[r * v.length + k], *b = v.b + r / I(v.n) * v.m * v.length + k;
    T sum = 0;
    for (std::int64_t j = 0; j < v.m; ++j) sum += dd[r * v.m + j] * distance_slope<metric>(a - b[j * v.length]);
    da[r * v.length + k] = sum;
  }
};

/// db[r, k] = -Σ_i dd[i, r] slope(a[i, k] - b[r, k]), r = (graph, j)
template <class T, Metric metric>
struct DistanceBackwardB {
  VectorPairs<T> v;
  const T* dd;
  T* db;
  template <class I>
  SAGCL_BOTH void operator()(I r, I k) const {
    const std::int64_t g = r / I(v.m), j = r % I(v.m);
    const T b = v.b[r * v.length + k], *a = v.a + g * v.n * v.length + k, *weight = dd + g * v.n * v.m + j;
    T sum = 0;
    for (std::int64_t i = 0; i < v.n; ++i) sum -= weight[i * v.m] * distance_slope<metric>(a[i * v.length] - b);
    db[r * v.length + k] = sum;
  }
};

template <class T>
VectorPairs<T> vector_pairs(const Tensor& a, const Tensor& b) {
  return {a.data<T>(), b.data<T>(), a.shape()[1], b.shape()[1], a.shape()[2]};
}

/// f(Type<T>{}, integral_constant<Metric>{}) for a run-time dtype and metric.
template <class F>
void visit_metric(engine::Dtype dtype, Metric metric, F f) {
  visit_float(dtype, [&](auto type) {
    if (metric == Metric::squared_l2) f(type, std::integral_constant<Metric, Metric::squared_l2>{});
    else f(type, std::integral_constant<Metric, Metric::l1>{});
  });
}

template <class Launch>
void pairwise_distance(Metric metric, const Tensor& a, const Tensor& b, Tensor& d) {
  constexpr std::int64_t long_vector = 1024;
  visit_metric(a.dtype(), metric, [&](auto type, auto m) {
    using T = typename decltype(type)::type;
    const VectorPairs<T> v = vector_pairs<T>(a, b);
    if (v.length < long_vector)
      Launch::for_rows(a.shape()[0] * v.n, v.m, ShortDistance<T, decltype(m)::value>{v, d.template data<T>()});
    else
      Launch::template column_sums<1, T, T>(d.size(), v.length, 1, DistanceTerm<T, decltype(m)::value>{v},
                                            d.template data<T>());
  });
}

template <class Launch>
void pairwise_distance_backward(Metric metric, const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da, Tensor& db) {
  visit_metric(a.dtype(), metric, [&](auto type, auto m) {
    using T = typename decltype(type)::type;
    const VectorPairs<T> v = vector_pairs<T>(a, b);
    const std::int64_t graphs = a.shape()[0];
    if (da.defined())
      Launch::for_rows(graphs * v.n, v.length,
                       DistanceBackwardA<T, decltype(m)::value>{v, dd.template data<T>(), da.template data<T>()});
    if (db.defined())
      Launch::for_rows(graphs * v.m, v.length,
                       DistanceBackwardB<T, decltype(m)::value>{v, dd.template data<T>(), db.template data<T>()});
  });
}

/// k = exp(-d / (2 σ²)), and dd = -dk k / (2 σ²); one graph per row.
template <class T>
struct GaussianKernel {
  const T *d, *sigma2;
  T* k;
  std::int64_t columns;
  SAGCL_BOTH void operator()(std::int64_t g, std::int64_t c) const {
    k[g * columns + c] = exponential(-d[g * columns + c] / (2 * sigma2[g]));
  }
};
template <class T>
struct GaussianKernelBackward {
  const T *k, *sigma2, *dk;
  T* dd;
  std::int64_t columns;
  SAGCL_BOTH void operator()(std::int64_t g, std::int64_t c) const {
    dd[g * columns + c] = -dk[g * columns + c] * k[g * columns + c] / (2 * sigma2[g]);
  }
};

template <class Launch>
void gaussian_kernel(const Tensor& d, const Tensor& sigma2, Tensor& k) {
  if (d.size() == 0) return;
  visit_float(d.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t graphs = sigma2.size(), columns = d.size() / graphs;
    Launch::for_rows(graphs, columns, GaussianKernel<T>{d.data<T>(), sigma2.data<T>(), k.data<T>(), columns});
  });
}

template <class Launch>
void gaussian_kernel_backward(const Tensor& k, const Tensor& sigma2, const Tensor& dk, Tensor& dd) {
  if (k.size() == 0) return;
  visit_float(k.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t graphs = sigma2.size(), columns = k.size() / graphs;
    Launch::for_rows(graphs, columns,
                     GaussianKernelBackward<T>{k.data<T>(), sigma2.data<T>(), dk.data<T>(), dd.data<T>(), columns});
  });
}

}  // namespace sagcl::ops::kernels
