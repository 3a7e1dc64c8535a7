#pragma once
#include "ops/conv_geometry.h"

/// Convolution by its definition, one output element per call. This is what every fast kernel is compared with, the f64
/// path behind the gradient checks, and the place to read first: three sums over the same triples (y voxel p, kernel
/// voxel k, x voxel q) that are tied together by
///
///     q = p * stride + k - padding        (per axis; q outside the image contributes nothing)
///
/// Each pass fixes one member of the triple and sums over what is left. All three gather: an element of the result is
/// written once, by one call, in one order of additions, so the bits do not depend on threads or launches.
namespace sagcl::ops::kernels {

using engine::join;
using engine::split;

/// The x voxel that kernel voxel k sees from y voxel p; false where it lies in the padding.
SAGCL_BOTH inline bool seen_from(const ConvGeometry& g, const Extents& p, const Extents& k, Extents& q) {
  for (int a = 0; a < 3; ++a) {
    q[a] = p[a] * g.stride[a] + k[a] - g.padding[a];
    if (q[a] < 0 || q[a] >= g.in[a]) return false;
  }
  return true;
}

/// The y voxel that sees x voxel q through kernel voxel k; false where there is none.
SAGCL_BOTH inline bool sees(const ConvGeometry& g, const Extents& q, const Extents& k, Extents& p) {
  for (int a = 0; a < 3; ++a) {
    const std::int64_t scaled = q[a] + g.padding[a] - k[a];
    if (scaled < 0 || scaled % g.stride[a] != 0) return false;
    p[a] = scaled / g.stride[a];
    if (p[a] >= g.out[a]) return false;
  }
  return true;
}

/// y[n, p, o] = b[o] + Σ_k Σ_c x[n, q(p, k), c] w[o, k, c];  i counts the elements of y [N, out, O].
template <class T>
struct ConvForward {
  ConvGeometry g;
  const T *x, *w, *b;  // b may be null
  T* y;

  SAGCL_BOTH void operator()(std::int64_t i) const {
    const std::int64_t o = i % g.O;
    Extents p, k, q;
    const std::int64_t n = split(i / g.O, g.out, p);
    T sum = b ? b[o] : T(0);
    for (std::int64_t j = 0; j < g.kernel.volume(); ++j) {
      split(j, g.kernel, k);
      if (!seen_from(g, p, k, q)) continue;
      const T* voxel = x + join(n, q, g.in) * g.C;
      const T* weight = w + (o * g.kernel.volume() + j) * g.C;
      for (std::int64_t c = 0; c < g.C; ++c) sum += voxel[c] * weight[c];
    }
    y[i] = sum;
  }
};

/// dx[n, q, c] = b[c] + Σ_k Σ_o dy[n, p(q, k), o] w[o, k, c];  i counts the elements of x [N, in, C].
/// With a bias this is the forward pass of the transposed convolution.
template <class T>
struct ConvBackwardData {
  ConvGeometry g;
  const T *w, *dy, *b;  // b may be null
  T* dx;

  SAGCL_BOTH void operator()(std::int64_t i) const {
    const std::int64_t c = i % g.C, taps = g.kernel.volume();
    Extents p, k, q;
    const std::int64_t n = split(i / g.C, g.in, q);
    T sum = b ? b[c] : T(0);
    for (std::int64_t j = 0; j < taps; ++j) {
      split(j, g.kernel, k);
      if (!sees(g, q, k, p)) continue;
      const T* voxel = dy + join(n, p, g.out) * g.O;
      for (std::int64_t o = 0; o < g.O; ++o) sum += voxel[o] * w[(o * taps + j) * g.C + c];
    }
    dx[i] = sum;
  }
};

/// dw[o, k, c] = Σ_n Σ_p dy[n, p, o] x[n, q(p, k), c];  i counts the elements of w [O, kernel, C].
template <class T>
struct ConvBackwardWeight {
  ConvGeometry g;
  const T *x, *dy;
  T* dw;

  SAGCL_BOTH void operator()(std::int64_t i) const {
    const std::int64_t c = i % g.C, taps = g.kernel.volume(), o = i / g.C / taps;
    Extents p, k, q;
    split(i / g.C % taps, g.kernel, k);
    T sum = 0;
    for (std::int64_t n = 0; n < g.N; ++n)
      for (p[0] = 0; p[0] < g.out[0]; ++p[0])
        for (p[1] = 0; p[1] < g.out[1]; ++p[1]) {
          T row = 0;  // a sum of row sums: shorter chains of additions, smaller rounding error
          for (p[2] = 0; p[2] < g.out[2]; ++p[2])
            if (seen_from(g, p, k, q)) row += dy[join(n, p, g.out) * g.O + o] * x[join(n, q, g.in) * g.C + c];
          sum += row;
        }
    dw[i] = sum;
  }
};

}  // namespace sagcl::ops::kernels
