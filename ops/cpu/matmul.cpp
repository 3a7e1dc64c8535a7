#include "ops/cpu/matmul.h"

#include <cblas.h>

#include <algorithm>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/kernels.h"

namespace sagcl::ops::cpu {

void one_blas_thread() {
  static const bool once = (openblas_set_num_threads(1), true);
  (void)once;
}

namespace {

/// c = aᵀ b as a sum of outer products, for rows of b that are whole vectors: the gradient of a layer's weights. Sums of 512
/// products are added up in their order.
void outer_products(const Kernels& kernel, const Gemm& g, const float* a, const float* b, float* c) {
  constexpr std::int64_t depth = 512;  // rows of a and b stay in the first two caches while tiles of c pass over them
  const std::int64_t lanes = kernel.lanes;
  for (std::int64_t i = 0; i < g.m; ++i) std::fill_n(c + i * g.ldc, g.n, 0.0f);
  for (std::int64_t first = 0; first < g.k; first += depth)
    for (std::int64_t column = 0, vectors; column < g.n; column += vectors * lanes) {
      vectors = std::min<std::int64_t>(3, (g.n - column) / lanes);
      const float* const from = b + first * g.ldb + column;
      const OuterLine line{
          {from, from + lanes, from + 2 * lanes}, a + first * g.lda, from + depth * g.ldb, std::min(depth, g.k - first)};
      float* const to = c + column;
      kernel.outer_sum({.lines = &line,
                        .line_count = 1,
                        .a_stride = g.ldb,
                        .g_stride = g.lda,
                        .rows = g.m,
                        .vectors = int(vectors),
                        .d = {to, to + lanes, to + 2 * lanes},
                        .d_stride = g.ldc});
    }
}

}  // namespace

// Not OpenBLAS's sgemm: the version in Debian 12 falls back to SSE3 kernels on processors it does not know.
void gemm(const Gemm& g, const float* a, const float* b, float* c) {
  constexpr std::int64_t most_depth = 512;  // of the reduction at once: a panel of b stays in the first two caches
  const Kernels& kernel = kernels_for(g.n);
  // Whole vectors in every table, so that all tables add in the same order.
  const bool whole_vectors = g.n % 16 == 0 || g.n == 8;
  if (g.transpose_a && !g.transpose_b && whole_vectors) return outer_products(kernel, g, a, b, c);
  const std::int64_t pair = 2 * kernel.lanes, depth = std::min(g.k, most_depth);
  std::vector<float> panel(std::size_t(pair * depth)), rows(std::size_t(g.transpose_a ? g.m * depth : 0));
  for (std::int64_t first = 0; first < g.k; first += depth) {
    const std::int64_t count = std::min(depth, g.k - first);
    if (g.transpose_a)  // the kernel reads rows
      for (std::int64_t k = 0; k < count; ++k)
        for (std::int64_t i = 0; i < g.m; ++i) rows[std::size_t(i * count + k)] = a[(first + k) * g.lda + i];
    const float* left = g.transpose_a ? rows.data() : a + first;
    for (std::int64_t column = 0; column < g.n; column += pair) {
      const std::int64_t columns = std::min(pair, g.n - column), block_stride = count * kernel.lanes;
      if (g.transpose_b)
        kernel.pack_panel({b + column * g.ldb + first, panel.data(), columns, g.ldb, count, 1, block_stride});
      else kernel.pack_panel({b + first * g.ldb + column, panel.data(), columns, 1, count, g.ldb, block_stride});
      const Run run{left, panel.data(), left};
      kernel.gemm_rows({.rows = g.m,
                        .columns = columns,
                        .run_length = count,
                        .a_stride = g.transpose_a ? count : g.lda,
                        .c_stride = g.ldc,
                        .block_stride = block_stride,
                        .runs = &run,
                        .run_count = 1,
                        .bias = nullptr,
                        .accumulate = first > 0,
                        .c = c + column});
    }
  }
}

void gemm(const Gemm& g, const double* a, const double* b, double* c) {
  one_blas_thread();
  cblas_dgemm(CblasRowMajor, g.transpose_a ? CblasTrans : CblasNoTrans, g.transpose_b ? CblasTrans : CblasNoTrans,
              blasint(g.m), blasint(g.n), blasint(g.k), 1, a, blasint(g.lda), b, blasint(g.ldb), 0, c, blasint(g.ldc));
}

namespace {

/// The blocks of one product: rows when there are many, else columns.
struct Blocks {
  static constexpr std::int64_t most = 256;
  std::int64_t rows, columns, count;
  explicit Blocks(const MatmulGeometry& g)
      : rows(g.m >= g.n ? std::min(g.m, std::clamp(g.m / 64, most, 4 * most)) : g.m),
        columns(g.m >= g.n ? g.n : std::min(g.n, most)),
        count((g.m + rows - 1) / rows * ((g.n + columns - 1) / columns)) {}
};

template <class T>
void product(const MatmulGeometry& g, const T* a, const T* b, T* y) {
  const Blocks blocks(g);
  const std::int64_t lda = g.transpose_a ? g.m : g.k, ldb = g.transpose_b ? g.k : g.n;
  const std::int64_t flops = 2 * blocks.rows * blocks.columns * g.k, worth = 1 << 18;
  engine::parallel_for(g.batch * blocks.count, 1 + worth / std::max<std::int64_t>(1, flops), [&](std::int64_t i) {
    const std::int64_t batch = i / blocks.count, block = i % blocks.count;
    const std::int64_t row = g.m >= g.n ? block * blocks.rows : 0, column = g.m >= g.n ? 0 : block * blocks.columns;
    const Gemm part{.transpose_a = g.transpose_a,
                    .transpose_b = g.transpose_b,
                    .m = std::min(blocks.rows, g.m - row),
                    .n = std::min(blocks.columns, g.n - column),
                    .k = g.k,
                    .lda = lda,
                    .ldb = ldb,
                    .ldc = g.n};
    gemm(part, a + batch * g.m * g.k + (g.transpose_a ? row : row * lda),
         b + batch * g.k * g.n + (g.transpose_b ? column * ldb : column), y + batch * g.m * g.n + row * g.n + column);
  });
}

}  // namespace

/// f32 by our own kernels, f64 by BLAS. The work is cut into blocks that depend on the geometry alone, each computed by one
/// thread: the bits do not depend on the number of threads. In f32 AVX2 and AVX-512 give the same bits, plain x86-64 (no
/// fused multiply-adds) others.
void CpuBackend::matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) {
  if (y.size() == 0) return;
  if (g.k == 0) {
    std::fill_n(static_cast<char*>(y.bytes_begin()), y.bytes(), char(0));
    return;
  }
  engine::visit_float(y.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    product(g, a.data<T>(), b.data<T>(), y.data<T>());
  });
}

}  // namespace sagcl::ops::cpu
