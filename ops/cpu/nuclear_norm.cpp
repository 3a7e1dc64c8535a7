#include "ops/cpu/cpu_backend.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/parallel.h"
#include "ops/cpu/matmul.h"
#include "ops/kernels/nuclear_norm.inl"

namespace sagcl::ops::cpu {
namespace {

using engine::BackendError;

lapack_int gesdd(lapack_int m, lapack_int n, float* a, float* s, float* u, float* vt) {
  return LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'S', m, n, a, m, s, u, m, vt, std::min(m, n));
}
lapack_int gesdd(lapack_int m, lapack_int n, double* a, double* s, double* u, double* vt) {
  return LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', m, n, a, m, s, u, m, vt, std::min(m, n));
}
lapack_int potrf(lapack_int n, float* s) { return LAPACKE_spotrf(LAPACK_ROW_MAJOR, 'L', n, s, n); }
lapack_int potrf(lapack_int n, double* s) { return LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', n, s, n); }

/// y ← y op(lower)⁻¹, y [rows, n]
void trsm(bool transpose, std::int64_t rows, std::int64_t n, const float* lower, float* y) {
  cblas_strsm(CblasRowMajor, CblasRight, CblasLower, transpose ? CblasTrans : CblasNoTrans, CblasNonUnit, blasint(rows),
              blasint(n), 1, lower, blasint(n), y, blasint(n));
}
void trsm(bool transpose, std::int64_t rows, std::int64_t n, const double* lower, double* y) {
  cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, transpose ? CblasTrans : CblasNoTrans, CblasNonUnit, blasint(rows),
              blasint(n), 1, lower, blasint(n), y, blasint(n));
}

struct Sides {
  std::int64_t n, m;
  std::int64_t k() const { return std::min(n, m); }
  std::int64_t size() const { return n * m; }
};

/// A = U diag(s) Vᵀ, row-major; returns gesdd's status. Column-major LAPACK reads A as Aᵀ = V diag(s) Uᵀ, so that its
/// first factor is our Vᵀ and its second our U, without a transposition.
template <class T>
lapack_int decompose(const Sides& z, std::vector<T> a, T* u, T* s, T* vt) {
  return gesdd(lapack_int(z.m), lapack_int(z.n), a.data(), s, vt, u);
}

/// f(g) -> a LAPACK status, for every matrix of the batch, each on one thread; throws for the first that failed.
template <class T, class F>
void for_each_matrix(const char* what, const Tensor& a, F f) {
  const std::int64_t graphs = a.shape()[0], size = a.shape()[1] * a.shape()[2];
  const T* values = a.data<T>();
  std::vector<lapack_int> status(std::size_t(graphs), 0);
  constexpr lapack_int not_finite = -1000;
  one_blas_thread();
  engine::parallel_for(graphs, 2, [&](std::int64_t g) {
    const bool finite = std::all_of(values + g * size, values + (g + 1) * size, [](T v) { return std::isfinite(v); });
    status[std::size_t(g)] = finite ? f(g) : not_finite;
  });
  for (std::int64_t g = 0; g < graphs; ++g) {
    const lapack_int info = status[std::size_t(g)];
    engine::require<BackendError>(info != not_finite, "{}: matrix {} of {} ({} x {}) holds NaN or infinity", what, g, graphs,
                                  a.shape()[1], a.shape()[2]);
    engine::require<BackendError>(info == 0, "{}: the SVD of matrix {} of {} ({} x {}) failed with LAPACK status {}", what,
                                  g, graphs, a.shape()[1], a.shape()[2], info);
  }
}

/// Σ s and U Vᵀ over the kept singular values, computed in type Wide.
template <class Wide, class T>
lapack_int nuclear_by_svd(double drop, const Sides& z, const T* a, T* value, T* subgradient) {
  std::vector<Wide> u(std::size_t(z.n * z.k())), s(std::size_t(z.k())), vt(std::size_t(z.k() * z.m)),
      product(std::size_t(z.size()));
  const lapack_int info = decompose<Wide>(z, std::vector<Wide>(a, a + z.size()), u.data(), s.data(), vt.data());
  if (info != 0) return info;
  double sum = 0;
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < z.k(); ++i) {
    const double value_i = double(s[std::size_t(i)]);
    sum += value_i;
    if (value_i > 0 && value_i >= drop * double(s[0])) kept = i + 1;  // they descend: the kept ones come first
  }
  if (kept > 0)
    gemm(Gemm{.m = z.n, .n = z.m, .k = kept, .lda = z.k(), .ldb = z.m, .ldc = z.m}, u.data(), vt.data(), product.data());
  *value = T(sum);
  std::copy(product.begin(), product.end(), subgradient);
  return 0;
}

/// The polar iteration's matrix operations on one thread.
template <class T>
struct CpuAlgebra {
  std::int64_t rows, columns;
  std::vector<T> x, y, s;
  bool failed = false;

  /// X = A / bound, transposed when A is wider than high. Both √(|A|₁ |A|_∞) and |A|_F bound the largest singular value.
  CpuAlgebra(const Sides& z, const T* a)
      : rows(std::max(z.n, z.m)), columns(z.k()), x(std::size_t(z.size())), y(x.size()), s(std::size_t(columns * columns)) {
    std::vector<double> row(std::size_t(z.n)), column(std::size_t(z.m));
    double squares = 0;
    for (std::int64_t i = 0; i < z.n; ++i)
      for (std::int64_t j = 0; j < z.m; ++j) {
        const double v = std::abs(double(a[i * z.m + j]));
        row[std::size_t(i)] += v, column[std::size_t(j)] += v, squares += v * v;
      }
    const double norm_inf = *std::max_element(row.begin(), row.end());
    const double norm_1 = *std::max_element(column.begin(), column.end());
    const double norms = std::sqrt(norm_inf) * std::sqrt(norm_1);
    const double bound = std::min(norms, std::sqrt(squares));
    failed = !(bound > 0);
    for (std::int64_t i = 0; i < z.n; ++i)
      for (std::int64_t j = 0; j < z.m; ++j)
        x[std::size_t(z.n >= z.m ? i * z.m + j : j * z.n + i)] = failed ? T(0) : T(double(a[i * z.m + j]) / bound);
  }

  void gram(double c) {
    gemm(Gemm{.transpose_a = true, .m = columns, .n = columns, .k = rows, .lda = columns, .ldb = columns, .ldc = columns},
         x.data(), x.data(), s.data());
    for (T& v : s) v *= T(c);
    for (std::int64_t i = 0; i < columns; ++i) s[std::size_t(i * columns + i)] += 1;
  }
  void factorise() { failed = failed || potrf(lapack_int(columns), s.data()) != 0; }
  void solve() {  // S = L Lᵀ, hence X S⁻¹ = (X L⁻ᵀ) L⁻¹
    if (failed) return;
    y = x;
    trsm(true, rows, columns, s.data(), y.data());
    trsm(false, rows, columns, s.data(), y.data());
  }
  void combine(double p, double q) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = T(p) * x[i] + T(q) * y[i];
  }
};

/// ‖A‖_* = <A, U Vᵀ>; false where a factorisation failed.
template <class T>
bool nuclear_by_polar(const Sides& z, const T* a, T* value, T* subgradient) {
  CpuAlgebra<T> algebra(z, a);
  kernels::polar(algebra);
  double inner = 0;
  for (std::int64_t i = 0; i < z.n; ++i)
    for (std::int64_t j = 0; j < z.m; ++j) {
      const T u = algebra.x[std::size_t(z.n >= z.m ? i * z.m + j : j * z.n + i)];
      subgradient[i * z.m + j] = u;
      inner += double(a[i * z.m + j]) * double(u);
    }
  *value = T(inner);
  return !algebra.failed && std::isfinite(inner);
}

}  // namespace

void CpuBackend::svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) {
  const Sides z{a.shape()[1], a.shape()[2]};
  if (a.size() == 0) return;
  engine::visit_float(a.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* from = a.data<T>();
    T *left = u.data<T>(), *values = s.data<T>(), *right = vt.data<T>();
    for_each_matrix<T>("svd", a, [&](std::int64_t g) {
      return decompose<T>(z, std::vector<T>(from + g * z.size(), from + (g + 1) * z.size()), left + g * z.n * z.k(),
                          values + g * z.k(), right + g * z.k() * z.m);
    });
  });
}

void CpuBackend::nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) {
  const Sides z{a.shape()[1], a.shape()[2]};
  if (a.size() == 0) return;
  engine::visit_float(a.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* from = a.data<T>();
    T *sums = value.data<T>(), *factors = subgradient.data<T>();
    for_each_matrix<T>("nuclear_norm", a, [&](std::int64_t g) -> lapack_int {
      const T* matrix = from + g * z.size();
      T* factor = factors + g * z.size();
      if (spec.polar && nuclear_by_polar(z, matrix, sums + g, factor)) return 0;
      if (std::max(z.n, z.m) <= 256) return nuclear_by_svd<double>(spec.drop, z, matrix, sums + g, factor);
      return nuclear_by_svd<T>(spec.drop, z, matrix, sums + g, factor);
    });
  });
}

}  // namespace sagcl::ops::cpu
