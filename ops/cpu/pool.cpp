// Max pooling in f32, channels innermost: maxima and their positions of up to 64 channels at a time.
#include <algorithm>

#include "ops/cpu/columns.h"
#include "ops/cpu/fast.h"

namespace sagcl::ops::cpu {

using engine::join;
using engine::split;

namespace {

constexpr std::int64_t block = 64;

/// One output voxel's channels: taps[k] points to the k-th voxel of its window. The first of equals wins, a NaN over all.
SAGCL_CLONES
void window_maximum(std::int64_t taps, const float* const* tap, std::int64_t channels, float* y, std::uint8_t* index) {
  for (std::int64_t first = 0; first < channels; first += block) {
    const std::int64_t n = std::min(block, channels - first);
    float best[block];
    std::int32_t where[block];
    for (std::int64_t c = 0; c < n; ++c) best[c] = tap[0][first + c], where[c] = 0;
    for (std::int64_t k = 1; k < taps; ++k) {
      const float* v = tap[k] + first;
      for (std::int64_t c = 0; c < n; ++c) {
        const bool better = (v[c] > best[c]) | ((v[c] != v[c]) & (best[c] == best[c]));
        best[c] = better ? v[c] : best[c];
        where[c] = better ? std::int32_t(k) : where[c];
      }
    }
    for (std::int64_t c = 0; c < n; ++c) y[first + c] = best[c];
    for (std::int64_t c = 0; c < n; ++c) index[first + c] = std::uint8_t(where[c]);
  }
}

/// dx of the k-th voxel of a window: dy where it was the maximum, else 0.
SAGCL_CLONES
void where_maximal(std::int64_t channels, std::int32_t k, const std::uint8_t* index, const float* dy, float* dx) {
#pragma GCC ivdep
  for (std::int64_t c = 0; c < channels; ++c) dx[c] = std::int32_t(index[c]) == k ? dy[c] : 0.0f;
}

/// f(r, n, p) for every voxel r = (n, p) of N images, spread over the threads.
template <class F>
void for_voxels(std::int64_t N, const Extents& size, std::int64_t channels, F&& f) {
  engine::parallel_ranges(N * size.volume(), 1 + 4096 / (channels + 1), [&](std::int64_t begin, std::int64_t end) {
    Extents p;
    std::int64_t n = split(begin, size, p);
    for (std::int64_t r = begin; r < end; ++r) {
      f(r, n, p);
      if (++p[2] == size[2]) p[2] = 0, ++p[1];
      if (p[1] == size[1]) p[1] = 0, ++p[0];
      if (p[0] == size[0]) p[0] = 0, ++n;
    }
  });
}

}  // namespace

void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) {
  const float* in = x.data<float>();
  float* out = y.data<float>();
  std::uint8_t* where = index.data<std::uint8_t>();
  std::vector<std::int64_t> offset;  // of each voxel of the window from its first
  for (std::int64_t d = 0; d < g.window[0]; ++d)
    for (std::int64_t h = 0; h < g.window[1]; ++h)
      for (std::int64_t w = 0; w < g.window[2]; ++w) offset.push_back(((d * g.in[1] + h) * g.in[2] + w) * g.C);
  for_voxels(g.N, g.out, g.C, [&](std::int64_t r, std::int64_t n, const Extents& p) {
    const float* corner = in + join(n, {{p[0] * g.stride[0], p[1] * g.stride[1], p[2] * g.stride[2]}}, g.in) * g.C;
    const float* tap[255];
    for (std::size_t k = 0; k < offset.size(); ++k) tap[k] = corner + offset[k];
    window_maximum(std::int64_t(offset.size()), tap, g.C, out + r * g.C, where + r * g.C);
  });
}

void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) {
  const float* d = dy.data<float>();
  const std::uint8_t* where = index.data<std::uint8_t>();
  float* out = dx.data<float>();
  for_voxels(g.N, g.in, g.C, [&](std::int64_t r, std::int64_t n, const Extents& q) {
    Extents p, k;
    bool covered = true;  // by the one window that could reach it
    for (int a = 0; a < 3; ++a) {
      p[a] = q[a] / g.stride[a];
      k[a] = q[a] - p[a] * g.stride[a];
      covered = covered && p[a] < g.out[a] && k[a] < g.window[a];
    }
    if (!covered) {
      std::fill_n(out + r * g.C, g.C, 0.0f);
      return;
    }
    const std::int64_t from = join(n, p, g.out) * g.C, tap = (k[0] * g.window[1] + k[1]) * g.window[2] + k[2];
    where_maximal(g.C, std::int32_t(tap), where + from, d + from, out + r * g.C);
  });
}

}  // namespace sagcl::ops::cpu
