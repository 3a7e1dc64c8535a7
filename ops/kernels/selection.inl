#pragma once
// What is decided from values, on the device: ranges, the rows with the largest scores, masks, noise. Nothing here is
// differentiated and nothing waits for the host.
#include <cmath>

#include "ops/backend.h"
#include "ops/kernels/quantiles.inl"

namespace sagcl::ops::kernels {

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
      const bool first =
          r < m ? !(other < own) && (other == other || own != own) : other > own || (other == other && own != own);
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

/// Row r counts the voxels of all images.
template <class T>
struct Choose {
  std::int64_t columns;
  const float* mask;
  const T *a, *b;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t r, std::int64_t c) const {
    const std::int64_t i = r * columns + c;
    y[i] = mask[r] != 0 ? a[i] : b[i];
  }
};

template <class Launch>
void choose(const Tensor& mask, const Tensor& a, const Tensor& b, Tensor& y) {
  if (y.size() == 0) return;
  engine::visit_any(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t rows = mask.size(), columns = y.size() / rows;
    Launch::for_rows(rows, columns, Choose<T>{columns, mask.data<float>(), a.data<T>(), b.data<T>(), y.data<T>()});
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

template <class T>
struct Uniform {
  engine::RandomKey key;
  double low, high;
  std::int64_t n;
  T* y;
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const engine::RandomKey k = key.now();
    const engine::Words words = engine::philox(
        engine::Words{{std::uint32_t(i), std::uint32_t(std::uint64_t(i) >> 32), k.stream0, k.stream1}}, k.key0, k.key1);
    for (int lane = 0; lane < 4 && 4 * i + lane < n; ++lane)
      y[4 * i + lane] = T(low + (high - low) * double(engine::unit(words.w[lane])));
  }
};

template <class Launch>
void uniform(const engine::RandomKey& key, double low, double high, Tensor& y) {
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    Launch::for_each((y.size() + 3) / 4, Uniform<T>{key, low, high, y.size(), y.data<T>()});
  });
}

/// sums[k,j] = what chunk j of column k weighs.
template <class T>
struct ChunkSums {
  std::int64_t M, K, chunks;
  const T* weight;
  double* sums;
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const std::int64_t k = i / chunks, begin = (i - k * chunks) * summed_rows;
    const std::int64_t end = begin + summed_rows < M ? begin + summed_rows : M;
    double sum = 0;
    for (std::int64_t m = begin; m < end; ++m) sum += double(weight[m * K + k]);
    sums[i] = sum;
  }
};

/// … and all chunks before it.
struct RunningSums {
  std::int64_t chunks;
  double* sums;
  SAGCL_BOTH void operator()(std::int64_t k) const {
    for (double* sum = sums + k * chunks + 1; sum < sums + (k + 1) * chunks; ++sum) sum[0] += sum[-1];
  }
};

template <class T>
struct DrawRows {
  std::int64_t M, K, n, chunks;
  const T *weight, *u;
  const double* sums;
  std::int32_t* picks;
  SAGCL_BOTH void operator()(std::int64_t i) const {
    const std::int64_t k = i / n;
    const double* until = sums + k * chunks;
    const double total = until[chunks - 1], wanted = double(u[i]) * total;
    std::int64_t low = 0, high = chunks - 1;  // the first chunk that reaches it lies between
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (until[middle] > wanted || until[middle] >= total) high = middle;
      else low = middle + 1;
    }
    const std::int64_t begin = low * summed_rows, end = begin + summed_rows < M ? begin + summed_rows : M;
    std::int64_t pick = begin;
    double sum = low > 0 ? until[low - 1] : 0;
    for (std::int64_t m = begin; m < end && !(sum > wanted); ++m)
      if (weight[m * K + k] > 0) {
        pick = m;
        sum += double(weight[m * K + k]);
      }
    picks[i] = std::int32_t(pick);
  }
};

template <class Launch>
void draw_rows(const Tensor& weight, const Tensor& u, Tensor& sums, Tensor& picks) {
  engine::visit_float(weight.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t M = weight.shape()[0], K = weight.shape()[1], n = u.shape()[1], chunks = sums.shape()[1];
    double* const into = sums.data<double>();
    Launch::for_each(K * chunks, ChunkSums<T>{M, K, chunks, weight.data<T>(), into});
    Launch::for_each(K, RunningSums{chunks, into});
    Launch::for_each(K * n, DrawRows<T>{M, K, n, chunks, weight.data<T>(), u.data<T>(), into, picks.data<std::int32_t>()});
  });
}

}  // namespace sagcl::ops::kernels
