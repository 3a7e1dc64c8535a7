// Resizing in f32: which voxels an output (or, backwards, an input) reads is worked out once per axis, then every voxel
// is a weighted sum of a few others, all channels at a time.
#include "ops/kernels/resize.inl"

#include "ops/cpu/columns.h"
#include "ops/cpu/fast.h"

namespace sagcl::ops::cpu {

namespace {

/// Σ weight · voxel of one result along one axis: the voxels are entries begin … end of the list.
struct Term { std::int64_t voxel; float weight; };
struct Axis {
  std::vector<Term> terms;
  std::vector<std::size_t> begin;  // one more than results
};

/// What each output position reads.
Axis forward_axis(const ResizeGeometry& g, int a) {
  Axis axis{{}, {0}};
  for (std::int64_t o = 0; o < g.out[a]; ++o) {
    const kernels::Tap t = kernels::tap_of(g, a, o);
    if (t.weight != 1) axis.terms.push_back({t.low, float(1 - t.weight)});
    if (t.weight != 0) axis.terms.push_back({t.high, float(t.weight)});
    axis.begin.push_back(axis.terms.size());
  }
  return axis;
}

/// Which outputs read each input position.
Axis backward_axis(const ResizeGeometry& g, int a) {
  Axis axis{{}, {0}};
  for (std::int64_t q = 0; q < g.in[a]; ++q) {
    std::int64_t first, last;
    kernels::readers(g, a, q, first, last);
    for (std::int64_t o = first; o <= last; ++o)
      if (const double share = kernels::share_of(g, a, o, q); share != 0) axis.terms.push_back({o, float(share)});
    axis.begin.push_back(axis.terms.size());
  }
  return axis;
}

SAGCL_CLONES
void weighted_sum(std::int64_t terms, const float* const* voxel, const float* weight, std::int64_t channels, float* y) {
  constexpr std::int64_t block = 64;
  for (std::int64_t first = 0; first < channels; first += block) {
    const std::int64_t n = std::min(block, channels - first);
    float sum[block] = {};
    for (std::int64_t t = 0; t < terms; ++t) {
      const float *v = voxel[t] + first, w = weight[t];
      for (std::int64_t c = 0; c < n; ++c) sum[c] += w * v[c];
    }
    for (std::int64_t c = 0; c < n; ++c) y[first + c] = sum[c];
  }
}

/// y [N, to, C] from x [N, from, C] with the terms of each axis; one line along the last axis per call.
void combine(std::int64_t N, std::int64_t C, const Extents& from, const Extents& to, const Axis axes[3], const float* x, float* y) {
  engine::parallel_for(N * to[0] * to[1], 1 + 4096 / (to[2] * C + 1), [&](std::int64_t line) {
    const std::int64_t n = line / (to[0] * to[1]), p0 = line / to[1] % to[0], p1 = line % to[1];
    std::vector<Term> planes;  // the lines of x that this line reads, with the product of their weights
    for (std::size_t i = axes[0].begin[std::size_t(p0)]; i < axes[0].begin[std::size_t(p0) + 1]; ++i)
      for (std::size_t j = axes[1].begin[std::size_t(p1)]; j < axes[1].begin[std::size_t(p1) + 1]; ++j)
        planes.push_back({(n * from[0] + axes[0].terms[i].voxel) * from[1] + axes[1].terms[j].voxel, axes[0].terms[i].weight * axes[1].terms[j].weight});
    std::vector<const float*> voxel;
    std::vector<float> weight;
    for (std::int64_t p2 = 0; p2 < to[2]; ++p2) {
      voxel.clear();
      weight.clear();
      for (const Term& plane : planes)
        for (std::size_t k = axes[2].begin[std::size_t(p2)]; k < axes[2].begin[std::size_t(p2) + 1]; ++k) {
          voxel.push_back(x + (plane.voxel * from[2] + axes[2].terms[k].voxel) * C);
          weight.push_back(plane.weight * axes[2].terms[k].weight);
        }
      weighted_sum(std::int64_t(voxel.size()), voxel.data(), weight.data(), C, y + (line * to[2] + p2) * C);
    }
  });
}

}  // namespace

void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) {
  const Axis axes[3] = {forward_axis(g, 0), forward_axis(g, 1), forward_axis(g, 2)};
  combine(g.N, g.C, g.in, g.out, axes, x.data<float>(), y.data<float>());
}

void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) {
  const Axis axes[3] = {backward_axis(g, 0), backward_axis(g, 1), backward_axis(g, 2)};
  combine(g.N, g.C, g.out, g.in, axes, dy.data<float>(), dx.data<float>());
}

}  // namespace sagcl::ops::cpu
