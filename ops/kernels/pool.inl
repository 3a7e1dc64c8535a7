#pragma once
// Pooling. Row r is an output voxel in the forward pass and an input voxel in the backward pass; c is the channel.
#include "ops/backend.h"

namespace sagcl::ops::kernels {

using engine::join;
using engine::split;

template <class T>
struct MaxPool {
  PoolGeometry g;
  const T* x;
  T* y;
  std::uint8_t* index;

  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    Extents p, k, q;
    const std::int64_t n = split(r, g.out, p);
    T best = 0;
    std::int64_t where = -1, tap = 0;
    for (k[0] = 0; k[0] < g.window[0]; ++k[0])
      for (k[1] = 0; k[1] < g.window[1]; ++k[1])
        for (k[2] = 0; k[2] < g.window[2]; ++k[2], ++tap) {
          for (int a = 0; a < 3; ++a) q[a] = p[a] * g.stride[a] + k[a];
          const T v = x[join(n, q, g.in) * g.C + c];
          if (where < 0 || v > best || (v != v && best == best)) best = v, where = tap;  // the first of equals; a NaN wins
        }
    y[r * g.C + c] = best;
    index[r * g.C + c] = std::uint8_t(where);
  }
};

/// The outputs along one axis whose window covers q: first … last, both inclusive.
template <class I>
SAGCL_BOTH void covering(const PoolGeometry& g, int a, std::int64_t q, std::int64_t& first, std::int64_t& last) {
  const std::int64_t before = q - g.window[a] + 1;
  first = before <= 0 ? 0 : I(before + g.stride[a] - 1) / I(g.stride[a]);
  last = I(q) / I(g.stride[a]);
  if (last > g.out[a] - 1) last = g.out[a] - 1;
}

template <class T>
struct MaxPoolBackward {
  PoolGeometry g;
  const std::uint8_t* index;
  const T* dy;
  T* dx;

  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    Extents q, p, first, last;
    const std::int64_t n = split(r, g.in, q);
    for (int a = 0; a < 3; ++a) covering<I>(g, a, q[a], first[a], last[a]);
    T sum = 0;
    for (p[0] = first[0]; p[0] <= last[0]; ++p[0])
      for (p[1] = first[1]; p[1] <= last[1]; ++p[1])
        for (p[2] = first[2]; p[2] <= last[2]; ++p[2]) {
          const std::int64_t at = join(n, p, g.out) * g.C + c;
          const int tap = int(((q[0] - p[0] * g.stride[0]) * g.window[1] + (q[1] - p[1] * g.stride[1])) * g.window[2] +
                              (q[2] - p[2] * g.stride[2]));
          if (index[at] == tap) sum += dy[at];
        }
    dx[r * g.C + c] = sum;
  }
};

template <class T>
struct AveragePool {
  PoolGeometry g;
  T share;  // 1 / window volume
  const T* x;
  T* y;

  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    Extents p, k, q;
    const std::int64_t n = split(r, g.out, p);
    T sum = 0;
    for (k[0] = 0; k[0] < g.window[0]; ++k[0])
      for (k[1] = 0; k[1] < g.window[1]; ++k[1])
        for (k[2] = 0; k[2] < g.window[2]; ++k[2]) {
          for (int a = 0; a < 3; ++a) q[a] = p[a] * g.stride[a] + k[a];
          sum += x[join(n, q, g.in) * g.C + c];
        }
    y[r * g.C + c] = sum * share;
  }
};

template <class T>
struct AveragePoolBackward {
  PoolGeometry g;
  T share;
  const T* dy;
  T* dx;

  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    Extents q, p, first, last;
    const std::int64_t n = split(r, g.in, q);
    for (int a = 0; a < 3; ++a) covering<I>(g, a, q[a], first[a], last[a]);
    T sum = 0;
    for (p[0] = first[0]; p[0] <= last[0]; ++p[0])
      for (p[1] = first[1]; p[1] <= last[1]; ++p[1])
        for (p[2] = first[2]; p[2] <= last[2]; ++p[2]) sum += dy[join(n, p, g.out) * g.C + c];
    dx[r * g.C + c] = sum * share;
  }
};

template <class Launch>
void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(g.N * g.out.volume(), g.C,
                     MaxPool<T>{g, x.template data<T>(), y.template data<T>(), index.template data<std::uint8_t>()});
  });
}

template <class Launch>
void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) {
  engine::visit_float(dy.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(
        g.N * g.in.volume(), g.C,
        MaxPoolBackward<T>{g, index.template data<std::uint8_t>(), dy.template data<T>(), dx.template data<T>()});
  });
}

template <class Launch>
void average_pool(const PoolGeometry& g, const Tensor& x, Tensor& y) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(g.N * g.out.volume(), g.C,
                     AveragePool<T>{g, T(1) / T(g.window.volume()), x.template data<T>(), y.template data<T>()});
  });
}

template <class Launch>
void average_pool_backward(const PoolGeometry& g, const Tensor& dy, Tensor& dx) {
  engine::visit_float(dy.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(g.N * g.in.volume(), g.C,
                     AveragePoolBackward<T>{g, T(1) / T(g.window.volume()), dy.template data<T>(), dx.template data<T>()});
  });
}

}  // namespace sagcl::ops::kernels
