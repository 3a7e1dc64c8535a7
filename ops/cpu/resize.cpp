// Resizing in f32: which voxels an output (or, backwards, an input) reads is worked out once per axis, then every voxel
// is a weighted sum of a few others, all channels at a time.
#include "ops/kernels/resize.inl"

#include <algorithm>

#include "ops/cpu/columns.h"
#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/vectorised.h"

namespace sagcl::ops::cpu {

namespace {

/// Σ weight · voxel of one result along one axis: the voxels are entries begin … end of the list.
struct Term {
  std::int64_t voxel;
  float weight;
};
struct Axis {
  std::vector<Term> terms;
  std::vector<std::size_t> begin;  // one more than results
};

/// What each output position reads.
Axis forward_axis(const kernels::ResizeAxis& a) {
  Axis axis{{}, {0}};
  for (std::int64_t o = 0; o < a.out; ++o) {
    const kernels::Tap t = kernels::tap_of(a, o);
    if (t.weight != 1) axis.terms.push_back({t.low, float(1 - t.weight)});
    if (t.weight != 0) axis.terms.push_back({t.high, float(t.weight)});
    axis.begin.push_back(axis.terms.size());
  }
  return axis;
}

/// Which outputs read each input position.
Axis backward_axis(const kernels::ResizeAxis& a) {
  Axis axis{{}, {0}};
  for (std::int64_t q = 0; q < a.in; ++q) {
    std::int64_t first, last;
    kernels::readers(a, q, first, last);
    for (std::int64_t o = first; o <= last; ++o)
      if (const double share = kernels::share_of(a, o, q); share != 0) axis.terms.push_back({o, float(share)});
    axis.begin.push_back(axis.terms.size());
  }
  return axis;
}

/// sum[i] (+)= weight · x[i]
void add_scaled(std::int64_t n, float weight, bool first, const float* x, float* sum) {
  if (first) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) sum[i] = weight * x[i];
  } else {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) sum[i] += weight * x[i];
  }
}

/// A stretch of an axis' list.
struct Terms {
  const Term *begin, *end;
};

/// sum[i] = Σ weight · x[line, i] over the lines (plane, row) of n floats each, `rows` of them in a plane.
void add_lines(const Terms& planes, const Terms& lines, std::int64_t rows, std::int64_t n, const float* x, float* sum) {
  bool first = true;
  for (const Term* d = planes.begin; d < planes.end; ++d)
    for (const Term* h = lines.begin; h < lines.end; ++h, first = false)
      add_scaled(n, d->weight * h->weight, first, x + (d->voxel * rows + h->voxel) * n, sum);
  if (first) std::fill_n(sum, n, 0.0f);  // read by nobody
}

/// y[p] = Σ weight · x[voxel] along a line of `count` results with C channels each.
void along_line(std::int64_t count, const std::size_t* begin, const Term* terms, std::int64_t C, const float* x, float* y) {
  constexpr std::int64_t lanes = 4;  // native everywhere; wider vectors would be taken apart
  typedef float Floats __attribute__((vector_size(16)));
  typedef float LooseFloats __attribute__((vector_size(16), aligned(4), may_alias));
  for (std::int64_t p = 0; p < count; ++p, y += C) {
    std::int64_t c = 0;
    for (; c + lanes <= C; c += lanes) {
      Floats sum = {};
      for (std::size_t t = begin[p]; t < begin[p + 1]; ++t)
        sum += *reinterpret_cast<const LooseFloats*>(x + terms[t].voxel * C + c) * terms[t].weight;
      *reinterpret_cast<LooseFloats*>(y + c) = sum;
    }
    for (; c < C; ++c) {
      float sum = 0;
      for (std::size_t t = begin[p]; t < begin[p + 1]; ++t) sum += x[terms[t].voxel * C + c] * terms[t].weight;
      y[c] = sum;
    }
  }
}

/// y [N, to, C] from x [N, from, C]: each line of y is a weighted sum of lines of x, resized along itself.
void combine(std::int64_t N, std::int64_t C, const Extents& from, const Extents& to, const Axis axes[3], const float* x,
             float* y) {
  const auto terms = [](const Axis& axis, std::int64_t p) {
    return Terms{axis.terms.data() + axis.begin[std::size_t(p)], axis.terms.data() + axis.begin[std::size_t(p) + 1]};
  };
  engine::parallel_ranges(N * to[0] * to[1], 1 + 4096 / (to[2] * C + 1), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> mixed(std::size_t(from[2] * C));
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t n = line / (to[0] * to[1]);
      const Terms planes = terms(axes[0], line / to[1] % to[0]), lines = terms(axes[1], line % to[1]);
      vectorised(
          [&] { add_lines(planes, lines, from[1], from[2] * C, x + n * from[0] * from[1] * from[2] * C, mixed.data()); });
      along_line(to[2], axes[2].begin.data(), axes[2].terms.data(), C, mixed.data(), y + line * to[2] * C);
    }
  });
}

}  // namespace

void CpuBackend::resize(const ResizeGeometry& g, const Tensor& x, Tensor& y) {
  if (x.dtype() != engine::Dtype::f32) return Shared::resize(g, x, y);
  const Axis axes[3] = {forward_axis({g, 0}), forward_axis({g, 1}), forward_axis({g, 2})};
  combine(g.N, g.C, g.in, g.out, axes, x.data<float>(), y.data<float>());
}

void CpuBackend::resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx) {
  if (dy.dtype() != engine::Dtype::f32) return Shared::resize_backward(g, dy, dx);
  const Axis axes[3] = {backward_axis({g, 0}), backward_axis({g, 1}), backward_axis({g, 2})};
  combine(g.N, g.C, g.out, g.in, axes, dy.data<float>(), dx.data<float>());
}

}  // namespace sagcl::ops::cpu
