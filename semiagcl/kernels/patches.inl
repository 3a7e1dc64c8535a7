#pragma once
// Section III-A on the device: means over patches (Eq. 1), the attended patches X' = X ⊙ C, and where patches meet cells.
#include <algorithm>
#include <array>
#include <cmath>

#include "ops/kernels/radix_select.inl"
#include "semiagcl/kernels/backend.h"

namespace sagcl::semiagcl::kernels {

using namespace ops::kernels;

/// Images of `size` cut into a grid of patches.
struct PatchGrid {
  Extents size, grid, patch;
  PatchGrid(const engine::Shape& image, const Extents& g) : size{{image[1], image[2], image[3]}}, grid(g) {
    for (int a = 0; a < 3; ++a) patch[a] = size[a] / grid[a];
  }
  /// The first voxel of row r (of depth times height) of a patch of the batch, as flat index of [N, D, H, W].
  SAGCL_BOTH std::int64_t row(std::int64_t which, std::int64_t r) const {
    using Small = std::uint32_t;
    const Small across = Small(which) / Small(grid[2]), down = across / Small(grid[1]), image = down / Small(grid[0]);
    const Small d = Small(r) / Small(patch[1]), z = (down - image * Small(grid[0])) * Small(patch[0]) + d,
                y = (across - down * Small(grid[1])) * Small(patch[1]) + (Small(r) - d * Small(patch[1])),
                x = (Small(which) - across * Small(grid[2])) * Small(patch[2]);
    return (std::int64_t(image) * size[0] + z) * (size[1] * size[2]) + (y * Small(size[2]) + x);
  }
};

/// h(v) = -v ln v - (1-v) ln(1-v), in nats; 0 ln 0 = 0
template <class T>
SAGCL_BOTH T binary_entropy(T v) {
  const T w = 1 - v;
  // Departs from the paper: the minus of Eq. 1 stands before both terms; as printed it would cover only the first, and the
  // quantity would not be an entropy.
  return -((v > 0 ? v * std::log(v) : T(0)) + (w > 0 ? w * std::log(w) : T(0)));  // Eq. 1
}

/// The sum along row r of a patch.
template <class T, PatchMean f>
struct PatchRow {
  PatchGrid cut;
  std::int64_t K;
  const T *x, *c;
  SAGCL_BOTH std::array<double, 1> operator()(std::int64_t which, std::int64_t r, std::int64_t k) const {
    const std::int64_t begin = cut.row(which, r);
    const T *factor = x ? x + begin : nullptr, *confidence = c + begin * K + k;
    double sum = 0;
    for (int w = 0; w < int(cut.patch[2]); ++w) {
      T v = confidence[w * int(K)];
      if (factor) v = factor[w] * v;
      if constexpr (f == PatchMean::clamped_entropy) v = v < T(1e-6) ? T(1e-6) : v > T(1 - 1e-6) ? T(1 - 1e-6) : v;
      if constexpr (f != PatchMean::value) v = binary_entropy(v);
      sum += double(v);
    }
    return {{sum}};
  }
};

template <class T>
struct DivideBy {
  double count;
  const double* total;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const { y[i] = T(total[i] / count); }
};

template <class Launch>
void patch_means(PatchMean f, const Extents& grid, const Tensor& x, const Tensor& c, Tensor& y) {
  engine::visit_float(c.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const PatchGrid cut(c.shape(), grid);
    const std::int64_t K = c.shape()[4], rows = cut.patch[0] * cut.patch[1];
    Tensor totals = Tensor::empty({y.size()}, engine::Dtype::f64, c.device());
    double* total = totals.data<double>();
    const auto add = [&]<PatchMean which>() {
      Launch::template column_sums<1, double>(
          y.size() / K, rows, K, PatchRow<T, which>{cut, K, x.defined() ? x.data<T>() : nullptr, c.data<T>()}, total);
    };
    switch (f) {
      case PatchMean::value: add.template operator()<PatchMean::value>(); break;
      case PatchMean::entropy: add.template operator()<PatchMean::entropy>(); break;
      case PatchMean::clamped_entropy: add.template operator()<PatchMean::clamped_entropy>(); break;
    }
    Launch::for_each(y.size(), DivideBy<T>{double(cut.patch.volume()), total, y.data<T>()});
  });
}

/// r counts the rows of all picked patches, e the values of a row.
template <class T>
struct AttendedPatches {
  PatchGrid cut;
  std::int64_t C, K, n;
  const T *x, *map;
  const std::int32_t* picks;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t e) const {
    const std::uint32_t rows = std::uint32_t(cut.patch[0] * cut.patch[1]), i = std::uint32_t(r) / rows;
    const std::int64_t begin = cut.row(picks[i], r - std::int64_t(i) * rows), k = i / std::uint32_t(n);
    y[r * cut.patch[2] * C + e] = x[begin * C + e] * map[(begin + std::uint32_t(e) / std::uint32_t(C)) * K + k];
  }
};

template <class Launch>
void attended_patches(const Extents& grid, const Tensor& x, const Tensor& c, const Tensor& picks, Tensor& y) {
  if (y.size() == 0) return;
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t C = x.shape()[4], K = c.shape()[4];
    const PatchGrid cut(x.shape(), grid);
    const std::int64_t length = cut.patch[2] * C;
    Launch::for_rows(
        y.size() / length, length,
        AttendedPatches<T>{cut, C, K, picks.size() / K, x.data<T>(), c.data<T>(), picks.data<std::int32_t>(), y.data<T>()});
  });
}

/// Where the patches of one grid and the cells of another meet. A voxel p lies in cell p cells / size of its axis. A patch
/// meets at most `window` cells of each axis, counted from the first it meets.
struct PatchCells {
  PatchGrid cut;
  Extents cells, window;
  PatchCells(const engine::Shape& image, const Extents& grid, const Extents& c) : cut(image, grid), cells(c) {
    for (int a = 0; a < 3; ++a) {
      window[a] = 1;
      for (std::int64_t begin = 0; begin < cut.size[a]; begin += cut.patch[a])
        window[a] = std::max(window[a], cell(a, begin + cut.patch[a] - 1) - cell(a, begin) + 1);
    }
  }
  SAGCL_BOTH std::int64_t cell(int a, std::int64_t p) const { return p * cells[a] / cut.size[a]; }
  SAGCL_BOTH std::int64_t begin(int a, std::int64_t c) const { return (c * cut.size[a] + cells[a] - 1) / cells[a]; }
};

/// The sum of c_k over each cell that a picked patch may meet: sums [K n, window].
template <class T>
struct CellSums {
  using Shared = double[digit_values];
  PatchCells meet;
  std::int64_t K, n;
  const T* map;
  const std::int32_t* picks;
  double* sums;
  template <class Group>
  SAGCL_GROUP void operator()(std::int64_t i, double (&partial)[digit_values], const Group& group) const {
    Extents w, at, low, extent;
    const std::int64_t row = split(i, meet.window, w), k = row / n, image = split(picks[row], meet.cut.grid, at);
    for (int a = 0; a < 3; ++a) {
      const std::int64_t patch_begin = at[a] * meet.cut.patch[a], patch_end = patch_begin + meet.cut.patch[a];
      const std::int64_t cell = meet.cell(a, patch_begin) + w[a], begin = meet.begin(a, cell), end = meet.begin(a, cell + 1);
      low[a] = begin > patch_begin ? begin : patch_begin;
      extent[a] = (end < patch_end ? end : patch_end) - low[a];
      if (extent[a] < 0) extent[a] = 0;
    }
    const std::uint32_t volume = std::uint32_t(extent.volume());
    double sum = 0;
    for (std::uint32_t v = std::uint32_t(group.thread()); v < volume; v += std::uint32_t(group.threads())) {
      Extents p;
      split(v, extent, p);
      for (int a = 0; a < 3; ++a) p[a] += low[a];
      sum += double(map[join(image, p, meet.cut.size) * K + k]);
    }
    partial[group.thread()] = sum;
    group.sync();
    for (int step = group.threads() / 2; step > 0; step /= 2) {
      if (group.thread() < step) partial[group.thread()] += partial[group.thread() + step];
      group.sync();
    }
    if (group.thread() == 0) sums[i] = partial[0];
  }
};

template <class T>
struct PatchWeights {
  PatchCells meet;
  std::int64_t columns;
  const double* sums;
  const std::int32_t* picks;
  T* w;
  SAGCL_BOTH void operator()(std::int64_t row, std::int64_t column) const {
    Extents cell, at, inside;
    const std::uint32_t image = std::uint32_t(split(std::uint32_t(column), meet.cells, cell));
    bool met = split(std::uint32_t(picks[row]), meet.cut.grid, at) == image;
    for (int a = 0; a < 3; ++a) {
      inside[a] = cell[a] - meet.cell(a, at[a] * meet.cut.patch[a]);
      met = met && inside[a] >= 0 && inside[a] < meet.window[a];
    }
    double share = 0;
    if (met) {
      const std::int64_t cells = meet.window.volume();
      const double* own = sums + row * cells;
      double total = 0;
      for (std::int64_t i = 0; i < cells; ++i) total += own[i];
      if (total != 0) share = own[join(0, inside, meet.window)] / total;
    }
    w[row * columns + column] = T(share);
  }
};

template <class Launch>
void patch_weights(const Extents& grid, const Extents& cells, const Tensor& c, const Tensor& picks, Tensor& w) {
  if (w.size() == 0) return;
  engine::visit_float(c.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const PatchCells meet(c.shape(), grid, cells);
    const std::int64_t rows = picks.size(), K = c.shape()[4];
    Tensor memory = Tensor::empty({rows * meet.window.volume()}, engine::Dtype::f64, c.device());
    double* sums = memory.data<double>();
    const std::int32_t* picked = picks.data<std::int32_t>();
    Launch::for_groups(memory.size(), CellSums<T>{meet, K, rows / K, c.data<T>(), picked, sums});
    Launch::for_rows(rows, w.size() / rows, PatchWeights<T>{meet, w.size() / rows, sums, picked, w.data<T>()});
  });
}

}  // namespace sagcl::semiagcl::kernels
