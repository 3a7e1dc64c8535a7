#include "ops/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/vectorised.h"
#include "ops/kernels/exponential.h"

namespace sagcl::ops::cpu {
namespace {

constexpr std::int64_t lanes = 16;
typedef float Vector __attribute__((vector_size(lanes * sizeof(float)), aligned(4)));

/// Up to 16 numbers from memory; what lies beyond `count` is zero.
[[gnu::always_inline]] inline Vector load(const float* from, std::int64_t count = lanes) {
  Vector v = {};
  if (count >= lanes) std::memcpy(&v, from, sizeof v);
  else std::memcpy(&v, from, std::size_t(count) * sizeof(float));
  return v;
}

template <Metric metric>
[[gnu::always_inline]] inline Vector distance_terms(const Vector& difference) {
  if (metric == Metric::squared_l2) return difference * difference;
  return difference < 0.0f ? -difference : difference;
}

/// weight times the derivative of distance_terms; 0 where the difference is 0.
template <Metric metric>
[[gnu::always_inline]] inline Vector weighted_slopes(const Vector& difference, float weight) {
  const Vector w = (metric == Metric::squared_l2 ? 2 * weight : weight) - Vector{};
  if (metric == Metric::squared_l2) return difference * w;
  return difference > 0.0f ? w : (difference < 0.0f ? -w : Vector{});
}

[[gnu::always_inline]] inline double sum_of(const Vector& v) {
  float half[8], quarter[4];
  for (int l = 0; l < 8; ++l) half[l] = v[l] + v[l + 8];
  for (int l = 0; l < 4; ++l) quarter[l] = half[l] + half[l + 4];
  return double(quarter[0] + quarter[2]) + double(quarter[1] + quarter[3]);
}

constexpr std::int64_t tile_a = 4, tile_b = 2;  // distances formed together: 8 sums in registers
constexpr std::int64_t piece = 1024;            // of the vectors' length: a tile's pieces stay in the first-level cache

/// d[i][j] += the terms of `length` numbers, for i < rows and j < columns; a and b are rows with one stride.
template <Metric metric, int rows, int columns>
void add_tile(const float* a, const float* b, std::int64_t stride, std::int64_t length, double* d, std::int64_t d_stride) {
  Vector sum[rows][columns] = {};
  std::int64_t k = 0;
  for (; k + lanes <= length; k += lanes) {
    Vector right[columns];
    for (int j = 0; j < columns; ++j) right[j] = load(b + j * stride + k);
    for (int i = 0; i < rows; ++i) {
      const Vector left = load(a + i * stride + k);
      for (int j = 0; j < columns; ++j) sum[i][j] += distance_terms<metric>(left - right[j]);
    }
  }
  if (k < length)
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j)
        sum[i][j] += distance_terms<metric>(load(a + i * stride + k, length - k) - load(b + j * stride + k, length - k));
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j) d[i * d_stride + j] += sum_of(sum[i][j]);
}

/// Rows [0, rows) of a against all m rows of b, into d [rows, m].
template <Metric metric>
void strip(const float* a, const float* b, std::int64_t rows, std::int64_t m, std::int64_t length, float* d) {
  std::vector<double> sums(std::size_t(rows * m));
  for (std::int64_t k = 0; k < length; k += piece) {
    const std::int64_t part = std::min(piece, length - k);
    for (std::int64_t j = 0; j < m;) {
      const bool pair = j + tile_b <= m;
      double* to = sums.data() + j;
      vectorised([&] {
        if (rows == tile_a && pair) add_tile<metric, tile_a, tile_b>(a + k, b + j * length + k, length, part, to, m);
        else
          for (std::int64_t i = 0; i < rows; ++i)
            for (std::int64_t o = 0; o < (pair ? tile_b : 1); ++o)
              add_tile<metric, 1, 1>(a + i * length + k, b + (j + o) * length + k, length, part, to + i * m + o, m);
      });
      j += pair ? tile_b : 1;
    }
  }
  for (std::int64_t i = 0; i < rows * m; ++i) d[i] = float(sums[std::size_t(i)]);
}

template <Metric metric>
void forward(const Tensor& a, const Tensor& b, Tensor& d) {
  const std::int64_t graphs = a.shape()[0], n = a.shape()[1], m = b.shape()[1], length = a.shape()[2],
                     strips = (n + tile_a - 1) / tile_a;
  const float *left = a.data<float>(), *right = b.data<float>();
  float* to = d.data<float>();
  engine::parallel_for(graphs * strips, 1 + 16384 / (tile_a * m * length + 1), [&](std::int64_t s) {
    const std::int64_t g = s / strips, i = s % strips * tile_a;
    strip<metric>(left + (g * n + i) * length, right + g * m * length, std::min(tile_a, n - i), m, length,
                  to + (g * n + i) * m);
  });
}

/// The weights dd[i, j] as seen from one side.
struct Weights {
  const float* at;
  std::int64_t row_stride, column_stride;
};

constexpr std::int64_t most_columns = 64;  // numbers of a vector whose gradients are formed together

/// da[i, k] = Σ_j w[i, j] slope(a[i, k] - b[j, k]) for rows [0, rows) and k < count; b is packed, [m, 64].
template <Metric metric>
void gradient_block(const float* a, const float* b, const Weights& w, std::int64_t rows, std::int64_t m, std::int64_t stride,
                    std::int64_t count, float* da) {
  constexpr std::int64_t vectors = most_columns / lanes;
  for (std::int64_t i = 0; i < rows; ++i) {
    float padded[most_columns] = {};
    std::memcpy(padded, a + i * stride, std::size_t(count) * sizeof(float));
    Vector sum[vectors] = {}, from[vectors];
    for (std::int64_t v = 0; v < vectors; ++v) from[v] = load(padded + v * lanes);
    for (std::int64_t j = 0; j < m; ++j) {
      const float weight = w.at[i * w.row_stride + j * w.column_stride];
      for (std::int64_t v = 0; v < vectors; ++v)
        sum[v] += weighted_slopes<metric>(from[v] - load(b + j * most_columns + v * lanes), weight);
    }
    for (std::int64_t v = 0; v < vectors; ++v) std::memcpy(padded + v * lanes, &sum[v], sizeof sum[v]);
    std::memcpy(da + i * stride, padded, std::size_t(count) * sizeof(float));
  }
}

/// The gradient of one side: blocks of rows by 64 numbers, each written by one thread. The other side's numbers are packed
/// first: rows a power of two apart would push each other out of the cache.
template <Metric metric>
void backward(const Tensor& a, const Tensor& b, const Tensor& dd, bool transposed, Tensor& da) {
  constexpr std::int64_t most_rows = 64;
  const std::int64_t graphs = a.shape()[0], n = a.shape()[1], m = b.shape()[1], length = a.shape()[2];
  const std::int64_t row_blocks = (n + most_rows - 1) / most_rows, columns = (length + most_columns - 1) / most_columns;
  // blocks of one thread
  const std::int64_t batch = std::clamp<std::int64_t>(512 / std::max<std::int64_t>(1, m), 1, 16),
                     parts = (columns + batch - 1) / batch;
  const float *left = a.data<float>(), *right = b.data<float>(), *weights = dd.data<float>();
  float* to = da.data<float>();
  engine::parallel_for(
      graphs * row_blocks * parts, 1 + 16384 / (batch * most_columns * m * std::min(n, most_rows) + 1),
      [&](std::int64_t part) {
        const std::int64_t block = part % parts * batch, i = part / parts % row_blocks * most_rows,
                           g = part / parts / row_blocks;
        const Weights w{weights + g * n * m + i * (transposed ? 1 : m), transposed ? 1 : m, transposed ? n : 1};
        std::vector<float> packed(std::size_t(m * most_columns));
        for (std::int64_t k = block * most_columns; k < std::min(length, (block + batch) * most_columns);
             k += most_columns) {
          const std::int64_t count = std::min(most_columns, length - k), at = (g * n + i) * length + k;
          for (std::int64_t j = 0; j < m; ++j)
            std::memcpy(packed.data() + j * most_columns, right + (g * m + j) * length + k,
                        std::size_t(count) * sizeof(float));
          const std::int64_t rows = std::min(most_rows, n - i);
          vectorised([&] { gradient_block<metric>(left + at, packed.data(), w, rows, m, length, count, to + at); });
        }
      });
}

template <Metric metric>
void backward_of_both(const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da, Tensor& db) {
  if (da.defined()) backward<metric>(a, b, dd, false, da);
  if (db.defined()) backward<metric>(b, a, dd, true, db);  // the slope is odd: -slope(a - b) = slope(b - a)
}

}  // namespace

void CpuBackend::pairwise_distance(Metric metric, const Tensor& a, const Tensor& b, Tensor& d) {
  if (a.dtype() != engine::Dtype::f32) return Shared::pairwise_distance(metric, a, b, d);
  metric == Metric::squared_l2 ? forward<Metric::squared_l2>(a, b, d) : forward<Metric::l1>(a, b, d);
}

void CpuBackend::pairwise_distance_backward(Metric metric, const Tensor& a, const Tensor& b, const Tensor& dd, Tensor& da,
                                            Tensor& db) {
  if (a.dtype() != engine::Dtype::f32) return Shared::pairwise_distance_backward(metric, a, b, dd, da, db);
  metric == Metric::squared_l2 ? backward_of_both<Metric::squared_l2>(a, b, dd, da, db)
                               : backward_of_both<Metric::l1>(a, b, dd, da, db);
}

void CpuBackend::gaussian_kernel(const Tensor& d, const Tensor& sigma2, Tensor& k) {
  if (d.dtype() != engine::Dtype::f32) return Shared::gaussian_kernel(d, sigma2, k);
  if (d.size() == 0) return;
  const std::int64_t columns = d.size() / sigma2.size(), part = 4096;
  const std::int64_t parts = (columns + part - 1) / part;
  const float *from = d.data<float>(), *widths = sigma2.data<float>();
  float* to = k.data<float>();
  engine::parallel_for(sigma2.size() * parts, 4, [&](std::int64_t p) {
    const std::int64_t g = p / parts, begin = g * columns + p % parts * part,
                       end = std::min((g + 1) * columns, begin + part);
    const float factor = 2 * widths[g];
    vectorised([=] {
      for (std::int64_t i = begin; i < end; ++i) to[i] = kernels::exponential(-from[i] / factor);
    });
  });
}

}  // namespace sagcl::ops::cpu
