// Pooling in f32, channels innermost. Of maxima four channels at a time, one line of voxels per call.
#include <algorithm>

#include "engine/parallel.h"
#include "ops/cpu/cpu_backend.h"

namespace sagcl::ops::cpu {

using engine::join;

namespace {

// Vectors of four are native everywhere, so that one build of this file serves every instruction set.
constexpr std::int64_t lanes = 4;
typedef float Floats __attribute__((vector_size(16)));
typedef std::int32_t Integers __attribute__((vector_size(16)));
typedef float LooseFloats __attribute__((vector_size(16), aligned(4), may_alias));

/// A line of `count` outputs, `step` floats apart in x; offset[k] leads from a window's corner to its k-th voxel.
/// The first of equals wins, a NaN over all.
void line_maxima(std::int64_t count, std::int64_t step, std::int64_t taps, const std::int64_t* offset, std::int64_t C,
                 const float* x, float* y, std::uint8_t* index) {
  for (std::int64_t p = 0; p < count; ++p, x += step, y += C, index += C) {
    std::int64_t c = 0;
    for (; c + lanes <= C; c += lanes) {
      Floats best = *reinterpret_cast<const LooseFloats*>(x + c);
      Integers where = {};
      for (std::int64_t k = 1; k < taps; ++k) {
        const Floats v = *reinterpret_cast<const LooseFloats*>(x + offset[k] + c);
        const Integers better = (v > best) | ((v != v) & (best == best));
        best = better ? v : best;
        where = better ? Integers{} + std::int32_t(k) : where;
      }
      *reinterpret_cast<LooseFloats*>(y + c) = best;
      for (int l = 0; l < lanes; ++l) index[c + l] = std::uint8_t(where[l]);
    }
    for (; c < C; ++c) {
      float best = x[c];
      std::int64_t where = 0;
      for (std::int64_t k = 1; k < taps; ++k) {
        const float v = x[offset[k] + c];
        if (v > best || (v != v && best == best)) best = v, where = k;
      }
      y[c] = best;
      index[c] = std::uint8_t(where);
    }
  }
}

/// dx of one voxel of each of `count` windows: dy where it is the k-th and was the maximum, else 0.
void line_where_maximal(std::int64_t count, std::int64_t step, std::int32_t k, std::int64_t C, const std::uint8_t* index,
                        const float* dy, float* dx) {
  for (std::int64_t p = 0; p < count; ++p, index += C, dy += C, dx += step) {
    std::int64_t c = 0;
    for (; c + lanes <= C; c += lanes) {
      const Integers at = {index[c], index[c + 1], index[c + 2], index[c + 3]};
      const Floats d = *reinterpret_cast<const LooseFloats*>(dy + c);
      *reinterpret_cast<LooseFloats*>(dx + c) = at == k ? d : Floats{};
    }
    for (; c < C; ++c) dx[c] = index[c] == k ? dy[c] : 0.0f;
  }
}

}  // namespace

void CpuBackend::max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index) {
  if (x.dtype() != engine::Dtype::f32) return Shared::max_pool(g, x, y, index);
  const float* in = x.data<float>();
  float* out = y.data<float>();
  std::uint8_t* where = index.data<std::uint8_t>();
  std::vector<std::int64_t> offset;
  for (std::int64_t d = 0; d < g.window[0]; ++d)
    for (std::int64_t h = 0; h < g.window[1]; ++h)
      for (std::int64_t w = 0; w < g.window[2]; ++w) offset.push_back(((d * g.in[1] + h) * g.in[2] + w) * g.C);
  const std::int64_t line = g.out[2] * g.C;
  engine::parallel_for(g.N * g.out[0] * g.out[1], 1 + 4096 / (line + 1), [&](std::int64_t r) {
    const Extents corner{{r / g.out[1] % g.out[0] * g.stride[0], r % g.out[1] * g.stride[1], 0}};
    line_maxima(g.out[2], g.stride[2] * g.C, std::int64_t(offset.size()), offset.data(), g.C,
                in + join(r / g.out[1] / g.out[0], corner, g.in) * g.C, out + r * line, where + r * line);
  });
}

void CpuBackend::max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx) {
  const bool disjoint = g.window[0] <= g.stride[0] && g.window[1] <= g.stride[1] && g.window[2] <= g.stride[2];
  if (dy.dtype() != engine::Dtype::f32 || !disjoint) return Shared::max_pool_backward(g, index, dy, dx);
  const float* d = dy.data<float>();
  const std::uint8_t* where = index.data<std::uint8_t>();
  float* out = dx.data<float>();
  const std::int64_t line = g.in[2] * g.C;
  const bool gaps = g.window[2] < g.stride[2] || g.out[2] * g.stride[2] < g.in[2];  // voxels of a line that no window covers
  engine::parallel_for(g.N * g.in[0] * g.in[1], 1 + 4096 / (line + 1), [&](std::int64_t r) {
    const std::int64_t q0 = r / g.in[1] % g.in[0], q1 = r % g.in[1];
    const Extents p{{q0 / g.stride[0], q1 / g.stride[1], 0}};
    const std::int64_t k0 = q0 % g.stride[0], k1 = q1 % g.stride[1];
    const bool covered = p[0] < g.out[0] && p[1] < g.out[1] && k0 < g.window[0] && k1 < g.window[1];
    if (!covered || gaps) std::fill_n(out + r * line, line, 0.0f);
    if (!covered) return;
    const std::int64_t from = join(r / g.in[1] / g.in[0], p, g.out) * g.C;
    for (std::int64_t k2 = 0; k2 < g.window[2]; ++k2)
      line_where_maximal(g.out[2], g.stride[2] * g.C, std::int32_t((k0 * g.window[1] + k1) * g.window[2] + k2), g.C,
                         where + from, d + from, out + r * line + k2 * g.C);
  });
}

/// Windows side by side, which cover a voxel once: its gradient is that of its window.
void CpuBackend::average_pool_backward(const PoolGeometry& g, const Tensor& dy, Tensor& dx) {
  if (dy.dtype() != engine::Dtype::f32 || !(g.stride == g.window)) return Shared::average_pool_backward(g, dy, dx);
  const float share = 1.0f / float(g.window.volume()), *from = dy.data<float>();
  float* to = dx.data<float>();
  engine::parallel_for(g.N * g.in[0] * g.in[1], 1 + 16384 / (g.in[2] * g.C + 1), [&](std::int64_t line) {
    const std::int64_t h = line % g.in[1], d = line / g.in[1] % g.in[0], n = line / g.in[1] / g.in[0];
    const Extents first{{d / g.window[0], h / g.window[1], 0}};
    const std::int64_t covered = first[0] < g.out[0] && first[1] < g.out[1] ? g.out[2] * g.window[2] : 0;
    const float* row = from + join(n, first, g.out) * g.C;
    float* voxel = to + line * g.in[2] * g.C;
    for (std::int64_t w = 0; w < covered; ++w, voxel += g.C)
      for (std::int64_t c = 0; c < g.C; ++c) voxel[c] = (0.0f + row[w / g.window[2] * g.C + c]) * share;
    std::fill_n(voxel, (g.in[2] - covered) * g.C, 0.0f);  // what no window reaches
  });
}

}  // namespace sagcl::ops::cpu
