#pragma once
#include "ops/cpu/isa/vector.h"
#include "ops/cpu/kernels.h"

/// The transforms of Winograd's minimal filtering F(M x M, 3 x 3) (Lavin and Gray, CVPR 2016, section 4), on vectors of
/// channels. A tile of M x M results needs T x T pixels, T = M + 2. With the matrices B, G, A of the algorithm
///   result = Aᵀ [ (G w Gᵀ) ∘ (Bᵀ x B) ] A,
/// and, because the weight gradient is the transpose of the same bilinear map,
///   dw = Gᵀ [ (A dy Aᵀ) ∘ (Bᵀ x B) ] G.
namespace sagcl::ops::cpu::SAGCL_ISA {

template <int M>
struct Filter;

template <>
struct Filter<2> {
  static constexpr int T = 4;
  static constexpr float G[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
  static SAGCL_INLINE void pixels(const Vec* d, Vec* o) {  // Bᵀ d
    o[0] = d[0] - d[2], o[1] = d[1] + d[2], o[2] = d[2] - d[1], o[3] = d[1] - d[3];
  }
  static SAGCL_INLINE void results(const Vec* m, Vec* o) {  // Aᵀ m
    o[0] = m[0] + m[1] + m[2], o[1] = m[1] - m[2] - m[3];
  }
  static SAGCL_INLINE void gradients(const Vec* y, Vec* o) {  // A y
    o[0] = y[0], o[1] = y[0] + y[1], o[2] = y[0] - y[1], o[3] = -y[1];
  }
};

template <>
struct Filter<4> {
  static constexpr int T = 6;
  static constexpr float G[6][3] = {{1.f / 4, 0, 0},
                                    {-1.f / 6, -1.f / 6, -1.f / 6},
                                    {-1.f / 6, 1.f / 6, -1.f / 6},
                                    {1.f / 24, 1.f / 12, 1.f / 6},
                                    {1.f / 24, -1.f / 12, 1.f / 6},
                                    {0, 0, 1}};
  static SAGCL_INLINE void pixels(const Vec* d, Vec* o) {
    const Vec a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = 2 * (d[3] - d[1]);
    o[0] = 4 * d[0] - 5 * d[2] + d[4];
    o[1] = a + b, o[2] = a - b, o[3] = c + e, o[4] = c - e;
    o[5] = 4 * d[1] - 5 * d[3] + d[5];
  }
  static SAGCL_INLINE void results(const Vec* m, Vec* o) {
    const Vec p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    o[0] = m[0] + p + r, o[1] = q + 2 * s, o[2] = p + 4 * r, o[3] = q + 8 * s + m[5];
  }
  static SAGCL_INLINE void gradients(const Vec* y, Vec* o) {
    const Vec e = y[0] + y[2], f = y[1] + y[3], g = y[0] + 4 * y[2], h = 2 * y[1] + 8 * y[3];
    o[0] = y[0], o[1] = e + f, o[2] = e - f, o[3] = g + h, o[4] = g - h, o[5] = y[3];
  }
};

/// Reads an n x n patch of one vector of channels whose first pixel is (row, column); zeros outside the image.
template <int n, class Column>
SAGCL_INLINE void read_patch(const WinogradTiles& w, const float* image, int64_t row, int64_t column, Column&& each) {
  const bool inside = row >= 0 && column >= 0 && row + n <= w.height && column + n <= w.width;
  const float* corner = image + (row * w.width + column) * w.pixel_stride;
#pragma GCC unroll 6
  for (int j = 0; j < n; ++j) {
    Vec d[n];
    if (inside) {
#pragma GCC unroll 6
      for (int i = 0; i < n; ++i) d[i] = load(corner + (i * w.width + j) * w.pixel_stride);
    } else {
#pragma GCC unroll 6
      for (int i = 0; i < n; ++i) {
        const int64_t r = row + i, c = column + j;
        d[i] = r < 0 || c < 0 || r >= w.height || c >= w.width ? zero() : load(corner + (i * w.width + j) * w.pixel_stride);
      }
    }
    each(j, d);
  }
}

/// x -> Bᵀ x B
template <int M>
void winograd_input(const WinogradTiles& w) {
  constexpr int T = Filter<M>::T;
  for (int64_t tile = 0; tile < w.tiles; ++tile)
    for (int64_t c = 0; c < w.channels; c += lanes) {
      Vec t[T][T];
      read_patch<T>(w, w.image + c, w.row, w.column + tile * M, [&](int j, const Vec* d) {
        Vec o[T];
        Filter<M>::pixels(d, o);
#pragma GCC unroll 6
        for (int i = 0; i < T; ++i) t[i][j] = o[i];
      });
      float* to = w.transformed + tile * w.channels + c;
#pragma GCC unroll 6
      for (int i = 0; i < T; ++i) {
        Vec o[T];
        Filter<M>::pixels(t[i], o);
#pragma GCC unroll 6
        for (int j = 0; j < T; ++j) store(to + (i * T + j) * w.component_stride, o[j]);
      }
    }
}

/// dy -> A dy Aᵀ
template <int M>
void winograd_gradient(const WinogradTiles& w) {
  constexpr int T = Filter<M>::T;
  for (int64_t tile = 0; tile < w.tiles; ++tile)
    for (int64_t c = 0; c < w.channels; c += lanes) {
      Vec t[T][M];
      read_patch<M>(w, w.image + c, w.row, w.column + tile * M, [&](int j, const Vec* d) {
        Vec o[T];
        Filter<M>::gradients(d, o);
#pragma GCC unroll 6
        for (int i = 0; i < T; ++i) t[i][j] = o[i];
      });
      float* to = w.transformed + tile * w.channels + c;
#pragma GCC unroll 6
      for (int i = 0; i < T; ++i) {
        Vec o[T];
        Filter<M>::gradients(t[i], o);
#pragma GCC unroll 6
        for (int j = 0; j < T; ++j) store(to + (i * T + j) * w.component_stride, o[j]);
      }
    }
}

/// m -> Aᵀ m A + bias
template <int M>
void winograd_output(const WinogradTiles& w) {
  constexpr int T = Filter<M>::T;
  for (int64_t tile = 0; tile < w.tiles; ++tile)
    for (int64_t c = 0; c < w.channels; c += lanes) {
      const float* from = w.transformed + tile * w.channels + c;
      Vec t[M][T];
#pragma GCC unroll 6
      for (int j = 0; j < T; ++j) {
        Vec m[T], o[M];
#pragma GCC unroll 6
        for (int i = 0; i < T; ++i) m[i] = load(from + (i * T + j) * w.component_stride);
        Filter<M>::results(m, o);
#pragma GCC unroll 6
        for (int i = 0; i < M; ++i) t[i][j] = o[i];
      }
      const Vec bias = w.bias ? load(w.bias + c) : zero();
      const int64_t column = w.column + tile * M;
      const int64_t rows = smaller(M, w.height - w.row), columns = smaller(M, w.width - column);
      float* to = w.result + (w.row * w.width + column) * w.pixel_stride + c;
      for (int64_t i = 0; i < rows; ++i) {
        Vec o[M];
        Filter<M>::results(t[i], o);
#pragma GCC unroll 4
        for (int j = 0; j < M; ++j)
          if (j < columns) store(to + (i * w.width + j) * w.pixel_stride, o[j] + bias);
      }
    }
}

/// w -> G w Gᵀ for `count` vectors
template <int M>
void winograd_weights(const WinogradWeights& w) {
  constexpr int T = Filter<M>::T;
  for (int64_t n = 0; n < w.count; ++n) {
    const float* from = w.from + n * lanes;
    float* to = w.to + n * lanes;
    Vec t[T][3];
    for (int b = 0; b < 3; ++b) {
      Vec g[3];
      for (int a = 0; a < 3; ++a) g[a] = load(from + (a * 3 + b) * w.tap_stride);
      for (int64_t i = w.row0; i < w.row1; ++i)
        t[i][b] = Filter<M>::G[i][0] * g[0] + Filter<M>::G[i][1] * g[1] + Filter<M>::G[i][2] * g[2];
    }
    for (int64_t i = w.row0; i < w.row1; ++i)
#pragma GCC unroll 6
      for (int j = 0; j < T; ++j)
        store(to + ((i - w.row0) * T + j) * w.component_stride,
              Filter<M>::G[j][0] * t[i][0] + Filter<M>::G[j][1] * t[i][1] + Filter<M>::G[j][2] * t[i][2]);
  }
}

/// Σ_slices m -> Gᵀ m G for `count` vectors; the slices are added in order.
template <int M>
void winograd_weight_gradient(const WinogradWeights& w) {
  constexpr int T = Filter<M>::T;
  for (int64_t n = 0; n < w.count; ++n) {
    const float* from = w.from + n * lanes;
    float* to = w.to + n * lanes;
    Vec t[3][T];
    for (int j = 0; j < T; ++j) {
      Vec s[3] = {zero(), zero(), zero()};
      for (int i = 0; i < T; ++i) {
        const float* component = from + (i * T + j) * w.component_stride;
        Vec m = load(component);
        for (int64_t slice = 1; slice < w.slices; ++slice) m += load(component + slice * w.slice_stride);
        for (int a = 0; a < 3; ++a) s[a] += Filter<M>::G[i][a] * m;
      }
      for (int a = 0; a < 3; ++a) t[a][j] = s[a];
    }
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b) {
        Vec s = zero();
        for (int j = 0; j < T; ++j) s += Filter<M>::G[j][b] * t[a][j];
        store(to + (a * 3 + b) * w.tap_stride, s);
      }
  }
}

template <int M>
constexpr WinogradKernels winograd_table{
    M, winograd_input<M>, winograd_gradient<M>, winograd_output<M>, winograd_weights<M>, winograd_weight_gradient<M>};

}  // namespace sagcl::ops::cpu::SAGCL_ISA
