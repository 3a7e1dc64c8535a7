#pragma once
// What a method decides from values, on the device: ranges and means of images, the patches with the largest scores, what is
// cut out of them. Nothing here is differentiated and nothing waits for the host.
#include <array>
#include <cmath>

#include "ops/backend.h"
#include "ops/kernels/quantiles.inl"

namespace sagcl::ops::kernels {

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

template <class T>
struct UnitRange {
  const T *x, *range;
  T* y;
  std::int64_t columns;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const {
    const double low = double(range[2 * r]), width = double(range[2 * r + 1]) - low;
    const double v = (double(x[r * columns + c]) - low) / (width < 1e-12 ? 1e-12 : width);
    y[r * columns + c] = T(v < 0 ? 0.0 : v > 1 ? 1.0 : v);
  }
};

template <class Launch>
void unit_range(const Tensor& x, const Tensor& range, Tensor& y) {
  if (x.size() == 0) return;
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t rows = x.shape()[0], columns = x.size() / rows;
    Launch::for_rows(rows, columns, UnitRange<T>{x.data<T>(), range.data<T>(), y.data<T>(), columns});
  });
}

/// h(v) = -v ln v - (1-v) ln(1-v)
template <class T>
SAGCL_BOTH T binary_entropy(T v) {
  const T w = 1 - v;
  return -((v > 0 ? v * std::log(v) : T(0)) + (w > 0 ? w * std::log(w) : T(0)));
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
      Launch::template column_sums<1, double>(y.size() / K, rows, K,
                                              PatchRow<T, which>{cut, K, x.defined() ? x.data<T>() : nullptr, c.data<T>()}, total);
    };
    switch (f) {
      case PatchMean::value: add.template operator()<PatchMean::value>(); break;
      case PatchMean::entropy: add.template operator()<PatchMean::entropy>(); break;
      case PatchMean::clamped_entropy: add.template operator()<PatchMean::clamped_entropy>(); break;
    }
    Launch::for_each(y.size(), DivideBy<T>{double(cut.patch.volume()), total, y.data<T>()});
  });
}

/// Row m's place in the order of class k: how many rows come before it. Those that n others precede are not picked.
template <class T>
struct TopRows {
  T least;
  std::int64_t M, K, n;
  const T *score, *weight;
  std::int32_t* picks;
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const std::int64_t k = i / M, m = i - k * M;
    const T own = score[m * K + k];
    const bool eligible = weight[m * K + k] >= least;
    std::int64_t rank = 0;
    for (std::int64_t r = 0; r < M && rank < n; ++r) {
      const T other = score[r * K + k];
      const bool first = r < m ? !(other < own) && (other == other || own != own) : other > own || (other == other && own != own);
      const bool counted = weight[r * K + k] >= least;
      rank += r != m && (counted == eligible ? first : counted);
    }
    if (rank < n) picks[k * n + rank] = std::int32_t(m);
  }
};

template <class T>
struct CountEligible {
  using Shared = int;
  T least;
  std::int64_t M, K, n;
  const T* weight;
  std::int32_t* counted;
  template <class Group>
  SAGCL_GROUP void operator()(std::int64_t k, int& count, const Group& group) const {
    if (group.thread() == 0) count = 0;
    group.sync();
    int mine = 0;
    for (std::int64_t m = group.thread(); m < M; m += group.threads()) mine += weight[m * K + k] >= least;
    group.add(&count, mine);
    group.sync();
    if (group.thread() == 0) counted[k] = std::int32_t(count < n ? count : n);
  }
};

template <class Launch>
void top_rows(double least, const Tensor& score, const Tensor& weight, Tensor& picks, Tensor& counted) {
  engine::visit_float(score.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t M = score.shape()[0], K = score.shape()[1], n = picks.shape()[1];
    Launch::for_each(K * M, TopRows<T>{T(least), M, K, n, score.data<T>(), weight.data<T>(), picks.data<std::int32_t>()});
    Launch::for_groups(K, CountEligible<T>{T(least), M, K, n, weight.data<T>(), counted.data<std::int32_t>()});
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
    Launch::for_rows(y.size() / length, length, AttendedPatches<T>{cut, C, K, picks.size() / K, x.data<T>(), c.data<T>(),
                                                                   picks.data<std::int32_t>(), y.data<T>()});
  });
}

/// Where the patches of one grid and the cells of another meet. A voxel p lies in cell p cells / size of its axis. A patch meets
/// at most `window` cells of each axis, counted from the first it meets.
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

template <class T, class Label>
struct OneHot {
  const Label* labels;
  T* y;
  std::int64_t columns;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const { y[r * columns + c] = T(std::int64_t(labels[r]) == c); }
};

template <class Launch>
void one_hot(const Tensor& labels, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t rows = labels.size(), columns = y.shape().back();
    if (labels.dtype() == engine::Dtype::u8)
      Launch::for_rows(rows, columns, OneHot<T, std::uint8_t>{labels.data<std::uint8_t>(), y.data<T>(), columns});
    else Launch::for_rows(rows, columns, OneHot<T, std::int32_t>{labels.data<std::int32_t>(), y.data<T>(), columns});
  });
}

template <class T>
struct Diagonal {
  const T* a;
  T* y;
  std::int64_t n;
  SAGCL_BOTH void operator()(std::int64_t g, std::int64_t i) const { y[g * n + i] = a[(g * n + i) * n + i]; }
};

template <class Launch>
void diagonal(const Tensor& a, Tensor& y) {
  if (y.size() == 0) return;
  engine::visit_float(a.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = y.shape().back();
    Launch::for_rows(y.size() / n, n, Diagonal<T>{a.data<T>(), y.data<T>(), n});
  });
}

template <class T>
struct Below {
  const T* x;
  const double* limit;
  T* y;
  std::int64_t columns;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const { y[r * columns + c] = T(double(x[r]) < limit[0]); }
};

template <class Launch>
void below(const Tensor& x, const Tensor& limit, Tensor& y) {
  if (x.size() == 0) return;
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = y.size() / x.size();
    Launch::for_rows(x.size(), columns, Below<T>{x.data<T>(), limit.data<double>(), y.data<T>(), columns});
  });
}

/// Two elements per call, from the four words that one call of Philox yields: i counts pairs.
template <class T>
struct AddNoise {
  engine::RandomKey key;
  double scale, most;
  std::int64_t n;
  const T* x;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const engine::RandomKey k = key.now();
    const engine::Words words = engine::philox(
        engine::Words{{std::uint32_t(i), std::uint32_t(std::uint64_t(i) >> 32), k.stream0, k.stream1}}, k.key0, k.key1);
    for (int lane = 0; lane < 2 && 2 * i + lane < n; ++lane) {
      const double radius = std::sqrt(-2 * std::log(1 - double(engine::unit(words.w[2 * lane]))));
      const double noise = scale * (radius * std::cos(6.283185307179586 * double(engine::unit(words.w[2 * lane + 1]))));
      y[2 * i + lane] = x[2 * i + lane] + T(noise < -most ? -most : noise > most ? most : noise);
    }
  }
};

template <class Launch>
void add_noise(const engine::RandomKey& key, double scale, double most, const Tensor& x, Tensor& y) {
  engine::visit_float(x.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each((x.size() + 1) / 2, AddNoise<T>{key, scale, most, x.size(), x.data<T>(), y.data<T>()});
  });
}

}  // namespace sagcl::ops::kernels
