#include "ops/cpu/matmul.h"

#include <cblas.h>
#include <omp.h>

#include <oneapi/dnnl/dnnl.h>

#include "engine/parallel.h"

namespace sagcl::ops::cpu {

using engine::BackendError;
using engine::require;

OneThread::OneThread() : threads_(omp_get_max_threads()) {
  static const bool once = (openblas_set_num_threads(1), true);  // OpenBLAS's own threads; global
  (void)once;
  omp_set_num_threads(1);  // oneDNN's; of this thread
}
OneThread::~OneThread() { omp_set_num_threads(threads_); }

// Not OpenBLAS's sgemm: the version in Debian 12 falls back to SSE3 kernels on processors it does not know.
void gemm(const Gemm& g, const float* a, const float* b, float* c) {
  const dnnl_status_t status = dnnl_sgemm(g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', g.m, g.n, g.k,
                                          float(g.alpha), a, g.lda, b, g.ldb, float(g.beta), c, g.ldc);
  require<BackendError>(status == dnnl_success, "dnnl_sgemm failed with status {} for m {} n {} k {}", int(status), g.m,
                        g.n, g.k);
}

void gemm(const Gemm& g, const double* a, const double* b, double* c) {
  cblas_dgemm(CblasRowMajor, g.transpose_a ? CblasTrans : CblasNoTrans, g.transpose_b ? CblasTrans : CblasNoTrans,
              blasint(g.m), blasint(g.n), blasint(g.k), g.alpha, a, blasint(g.lda), b, blasint(g.ldb), g.beta, c,
              blasint(g.ldc));
}

namespace {

/// The blocks of one product: rows when there are many, else columns.
struct Blocks {
  static constexpr std::int64_t most = 256;
  std::int64_t rows, columns, count;
  explicit Blocks(const MatmulGeometry& g)
      : rows(g.m >= g.n ? std::min(g.m, most) : g.m), columns(g.m >= g.n ? g.n : std::min(g.n, most)),
        count((g.m + rows - 1) / rows * ((g.n + columns - 1) / columns)) {}
};

template <class T>
void product(const MatmulGeometry& g, const T* a, const T* b, T* y) {
  const Blocks blocks(g);
  const std::int64_t lda = g.transpose_a ? g.m : g.k, ldb = g.transpose_b ? g.k : g.n;
  const std::int64_t flops = 2 * blocks.rows * blocks.columns * g.k, worth = 1 << 18;
  engine::parallel_for(g.batch * blocks.count, 1 + worth / std::max<std::int64_t>(1, flops), [&](std::int64_t i) {
    const OneThread guard;
    const std::int64_t batch = i / blocks.count, block = i % blocks.count;
    const std::int64_t row = g.m >= g.n ? block * blocks.rows : 0, column = g.m >= g.n ? 0 : block * blocks.columns;
    const Gemm part{.transpose_a = g.transpose_a, .transpose_b = g.transpose_b, .m = std::min(blocks.rows, g.m - row),
                    .n = std::min(blocks.columns, g.n - column), .k = g.k, .lda = lda, .ldb = ldb, .ldc = g.n};
    gemm(part, a + batch * g.m * g.k + (g.transpose_a ? row : row * lda),
         b + batch * g.k * g.n + (g.transpose_b ? column * ldb : column), y + batch * g.m * g.n + row * g.n + column);
  });
}

}  // namespace

void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y) {
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
