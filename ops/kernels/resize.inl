#pragma once
// Resizing. An output voxel is a weighted mean of two input voxels per axis; the backward pass asks each input voxel
// which outputs read it, so nothing is ever added to by two threads.
#include "ops/backend.h"

namespace sagcl::ops::kernels {

using engine::join;
using engine::split;

/// What one output position reads along an axis: (1 - weight) · x[low] + weight · x[high].
struct Tap {
  std::int64_t low, high;
  double weight;
};

/// The tap of output position o. Coordinates are always in double, so every dtype and device reads the same voxels.
SAGCL_BOTH inline Tap tap_of(const ResizeGeometry& g, int a, std::int64_t o) {
  const std::int64_t in = g.in[a], out = g.out[a];
  if (!g.linear) return Tap{o * in / out, o * in / out, 0.0};
  double source = g.align_corners ? (out > 1 ? double(o) * (double(in - 1) / double(out - 1)) : 0.0)
                                  : (double(o) + 0.5) * (double(in) / double(out)) - 0.5;
  if (source < 0) source = 0;
  std::int64_t low = std::int64_t(source);
  if (low > in - 1) low = in - 1;
  return Tap{low, low + 1 < in ? low + 1 : in - 1, source - double(low)};
}

/// How much output o reads of input q along an axis.
SAGCL_BOTH inline double share_of(const ResizeGeometry& g, int a, std::int64_t o, std::int64_t q) {
  const Tap t = tap_of(g, a, o);
  return (t.low == q ? 1 - t.weight : 0.0) + (t.high == q ? t.weight : 0.0);
}

/// The outputs first … last that may read input q: a safe guess from the inverse map, then trimmed exactly.
SAGCL_BOTH inline void readers(const ResizeGeometry& g, int a, std::int64_t q, std::int64_t& first, std::int64_t& last) {
  const double ratio = g.linear && g.align_corners ? (g.in[a] > 1 ? double(g.out[a] - 1) / double(g.in[a] - 1) : double(g.out[a]))
                                                   : double(g.out[a]) / double(g.in[a]);
  first = std::int64_t(double(q - 1) * ratio) - 2;
  last = std::int64_t(double(q + 2) * ratio) + 2;
  if (first < 0) first = 0;
  if (last > g.out[a] - 1) last = g.out[a] - 1;
  while (first <= last && tap_of(g, a, first).high < q) ++first;
  while (first <= last && tap_of(g, a, last).low > q) --last;
}

template <class T>
struct Resize {
  ResizeGeometry g;
  const T* x;
  T* y;

  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const {
    Extents p, q;
    const std::int64_t n = split(r, g.out, p);
    const Tap t[3] = {tap_of(g, 0, p[0]), tap_of(g, 1, p[1]), tap_of(g, 2, p[2])};
    T sum = 0;
    for (int corner = 0; corner < 8; ++corner) {
      T weight = 1;
      for (int a = 0; a < 3; ++a) {
        const bool high = corner >> (2 - a) & 1;
        q[a] = high ? t[a].high : t[a].low;
        weight *= T(high ? t[a].weight : 1 - t[a].weight);
      }
      if (weight != 0) sum += weight * x[join(n, q, g.in) * g.C + c];
    }
    y[r * g.C + c] = sum;
  }
};

template <class T>
struct ResizeBackward {
  ResizeGeometry g;
  const T* dy;
  T* dx;

  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const {
    Extents q, p, first, last;
    const std::int64_t n = split(r, g.in, q);
    for (int a = 0; a < 3; ++a) readers(g, a, q[a], first[a], last[a]);
    T sum = 0;
    for (p[0] = first[0]; p[0] <= last[0]; ++p[0])
      for (p[1] = first[1]; p[1] <= last[1]; ++p[1]) {
        const T weight = T(share_of(g, 0, p[0], q[0])) * T(share_of(g, 1, p[1], q[1]));
        for (p[2] = first[2]; p[2] <= last[2]; ++p[2])
          sum += weight * T(share_of(g, 2, p[2], q[2])) * dy[join(n, p, g.out) * g.C + c];
      }
    dx[r * g.C + c] = sum;
  }
};

template <class Launch>
void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(g.N * g.out.volume(), g.C, Resize<T>{g, x.template data<T>(), y.template data<T>()});
  });
}

template <class Launch>
void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) {
  engine::visit_float(dy.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(g.N * g.in.volume(), g.C, ResizeBackward<T>{g, dy.template data<T>(), dx.template data<T>()});
  });
}

}  // namespace sagcl::ops::kernels
