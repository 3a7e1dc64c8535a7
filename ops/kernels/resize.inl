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

/// One axis of a ResizeGeometry, with its quotients.
struct ResizeAxis {
  std::int64_t in, out;
  bool linear, align_corners;
  double step;           // from one output to the next, in inputs
  double magnification;  // outputs per input

  ResizeAxis(const ResizeGeometry& g, int a) : in(g.in[a]), out(g.out[a]), linear(g.linear), align_corners(g.align_corners) {
    step = align_corners ? (out > 1 ? double(in - 1) / double(out - 1) : 0.0) : double(in) / double(out);
    magnification =
        linear && align_corners ? (in > 1 ? double(out - 1) / double(in - 1) : double(out)) : double(out) / double(in);
  }
};

/// The tap of output position o. Coordinates are always in double, so every dtype and device reads the same voxels.
SAGCL_BOTH inline Tap tap_of(const ResizeAxis& a, std::int64_t o) {
  if (!a.linear) return Tap{o * a.in / a.out, o * a.in / a.out, 0.0};
  double source = a.align_corners ? double(o) * a.step : (double(o) + 0.5) * a.step - 0.5;
  if (source < 0) source = 0;
  std::int64_t low = std::int64_t(source);
  if (low > a.in - 1) low = a.in - 1;
  return Tap{low, low + 1 < a.in ? low + 1 : a.in - 1, source - double(low)};
}

/// How much output o reads of input q.
SAGCL_BOTH inline double share_of(const ResizeAxis& a, std::int64_t o, std::int64_t q) {
  const Tap t = tap_of(a, o);
  return (t.low == q ? 1 - t.weight : 0.0) + (t.high == q ? t.weight : 0.0);
}

/// Outputs first … last among which are all that read input q: a safe guess from the inverse map.
SAGCL_BOTH inline void possible_readers(const ResizeAxis& a, std::int64_t q, std::int64_t& first, std::int64_t& last) {
  first = std::int64_t(double(q - 1) * a.magnification) - 2;
  last = std::int64_t(double(q + 2) * a.magnification) + 2;
  if (first < 0) first = 0;
  if (last > a.out - 1) last = a.out - 1;
}

/// The outputs first … last that may read input q: the guess, trimmed exactly.
SAGCL_BOTH inline void readers(const ResizeAxis& a, std::int64_t q, std::int64_t& first, std::int64_t& last) {
  possible_readers(a, q, first, last);
  while (first <= last && tap_of(a, first).high < q) ++first;
  while (first <= last && tap_of(a, last).low > q) --last;
}

template <class T>
struct Resize {
  ResizeGeometry g;
  ResizeAxis axes[3];
  const T* x;
  T* y;

  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    Extents p, q;
    const std::int64_t n = split(r, g.out, p);
    const Tap t[3] = {tap_of(axes[0], p[0]), tap_of(axes[1], p[1]), tap_of(axes[2], p[2])};
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
  ResizeAxis axes[3];
  const T* dy;
  T* dx;

  template <class I>
  SAGCL_BOTH void operator()(I r, I c) const {
    Extents q, p, first, last;
    const std::int64_t n = split(r, g.in, q);
    for (int a = 0; a < 3; ++a) readers(axes[a], q[a], first[a], last[a]);
    T sum = 0;
    for (p[0] = first[0]; p[0] <= last[0]; ++p[0])
      for (p[1] = first[1]; p[1] <= last[1]; ++p[1]) {
        const T weight = T(share_of(axes[0], p[0], q[0])) * T(share_of(axes[1], p[1], q[1]));
        for (p[2] = first[2]; p[2] <= last[2]; ++p[2])
          sum += weight * T(share_of(axes[2], p[2], q[2])) * dy[join(n, p, g.out) * g.C + c];
      }
    dx[r * g.C + c] = sum;
  }
};

template <class Launch>
void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(g.N * g.out.volume(), g.C,
                     Resize<T>{g, {{g, 0}, {g, 1}, {g, 2}}, x.template data<T>(), y.template data<T>()});
  });
}

template <class Launch>
void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) {
  engine::visit_float(dy.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_rows(g.N * g.in.volume(), g.C,
                     ResizeBackward<T>{g, {{g, 0}, {g, 1}, {g, 2}}, dy.template data<T>(), dx.template data<T>()});
  });
}

}  // namespace sagcl::ops::kernels
