#include <algorithm>
#include <cmath>

#include "engine/devices/device_registry.h"
#include "ops/cuda/cholesky_kernel.cuh"
#include "ops/cuda/cuda_backend.cuh"
#include "ops/cuda/jacobi_kernels.cuh"
#include "ops/cuda/solver.hpp"
#include "ops/kernels/nuclear_norm.inl"

namespace sagcl::ops::cuda {
namespace {

using engine::BackendError;
using engine::require;

struct Sides {
  std::int64_t n, m;
  std::int64_t k() const { return n < m ? n : m; }
  std::int64_t size() const { return n * m; }
};

template <class T>
std::vector<T> to_host(const T* data, std::int64_t n) {
  std::vector<T> values(static_cast<std::size_t>(n));
  engine::runtime(device()).copy_to_host(values.data(), data, std::size_t(n) * sizeof(T));
  return values;
}

template <class T>
struct NotFinite {
  std::int64_t size;
  const T* a;
  __host__ __device__ std::array<float, 1> operator()(std::int64_t g, std::int64_t i, std::int64_t) const {
    const T v = a[g * size + i];
    return {{v - v == 0 ? 0.0f : 1.0f}};
  }
};

template <class T>
void require_finite(const char* what, const Tensor& a, const Sides& z) {
  const std::int64_t graphs = a.shape()[0];
  const Scratch<float> counts(graphs);
  CudaLaunch::column_sums<1, float>(graphs, z.size(), 1, NotFinite<T>{z.size(), a.data<T>()}, counts.data());
  const std::vector<float> found = to_host(counts.data(), graphs);
  for (std::int64_t g = 0; g < graphs; ++g)
    require<BackendError>(found[std::size_t(g)] == 0, "{}: matrix {} of {} ({} x {}) holds NaN or infinity", what, g, graphs,
                          z.n, z.m);
}

/// B = U diag(s) Vᵀ, column-major, rows >= columns; B is destroyed. u [rows, columns], v [columns, columns] column-major.
template <class T>
void jacobi(std::int64_t rows, std::int64_t columns, T* b, T* s, T* u, T* v, const char* what) {
  const int m = int(rows), n = int(columns);
  const Scratch<T> original(rows * columns);
  engine::runtime(device()).copy_within(original.data(), b, std::size_t(rows * columns) * sizeof(T));
  const Scratch<int> info(1);
  gesvdjInfo_t settings = nullptr;
  check(cusolverDnCreateGesvdjInfo(&settings), what);
  const std::unique_ptr<std::remove_pointer_t<gesvdjInfo_t>, cusolverStatus_t (*)(gesvdjInfo_t)> guard(
      settings, cusolverDnDestroyGesvdjInfo);
  int size = 0;
  check(Vendor<T>::gesvdj_size(solver(), CUSOLVER_EIG_MODE_VECTOR, 1, m, n, b, m, s, u, m, v, n, &size, settings), what);
  {
    const Scratch<T> work(size);
    check(Vendor<T>::gesvdj(solver(), CUSOLVER_EIG_MODE_VECTOR, 1, m, n, b, m, s, u, m, v, n, work.data(), size, info.data(),
                            settings),
          what);
  }
  if (to_host(info.data(), 1)[0] == 0) return;
  const Scratch<T> vt(columns * columns), rest(columns);
  check(Vendor<T>::gesvd_size(solver(), m, n, &size), what);
  const Scratch<T> work(size);
  check(Vendor<T>::gesvd(solver(), 'S', 'S', m, n, original.data(), m, s, u, m, vt.data(), n, work.data(), size, rest.data(),
                         info.data()),
        what);
  const int status = to_host(info.data(), 1)[0];
  require<BackendError>(status == 0, "{}: the SVD of a {} x {} matrix failed with cuSOLVER status {}", what, rows, columns,
                        status);
  transpose<T>(columns, columns, vt.data(), v);
}

/// A = U diag(s) Vᵀ, row-major: u [n, k], s [k], vt [k, m]. cuSOLVER reads our A as Aᵀ; it wants at least as many rows as
/// columns, so for a tall A the matrix is transposed first. One factor comes out as we store it, the other transposed.
template <class T>
void decompose(const Sides& z, const T* a, T* u, T* s, T* vt, const char* what) {
  const Scratch<T> b(z.size()), other(z.k() * z.k());
  if (z.m >= z.n) {
    engine::runtime(device()).copy_within(b.data(), a, std::size_t(z.size()) * sizeof(T));
    jacobi<T>(z.m, z.n, b.data(), s, vt, other.data(), what);  // Aᵀ = V S Uᵀ
    transpose<T>(z.k(), z.n, other.data(), u);
  } else {
    transpose<T>(z.n, z.m, a, b.data());
    const Scratch<T> left(z.n * z.k());
    jacobi<T>(z.n, z.m, b.data(), s, left.data(), vt, what);
    transpose<T>(z.k(), z.n, left.data(), u);
  }
}

template <class To, class From>
struct Convert {
  const From* from;
  To* to;
  __device__ void operator()(std::int64_t i) const { to[i] = To(from[i]); }
};

/// Clears the columns of u whose singular value is dropped.
struct DropColumns {
  std::int64_t k;
  double drop;
  const double* s;
  double* u;
  __device__ void operator()(std::int64_t r, std::int64_t c) const {
    if (!(s[c] > 0 && s[c] >= drop * s[0])) u[r * k + c] = 0;
  }
};

struct Value {
  const double* x;
  __host__ __device__ std::array<double, 1> operator()(std::int64_t, std::int64_t r, std::int64_t) const { return {{x[r]}}; }
};

template <class T>
void nuclear_by_svd(double drop, const Sides& z, const T* a, T* value, T* subgradient) {
  const Scratch<double> wide(z.size()), u(z.n * z.k()), s(z.k()), vt(z.k() * z.m), product(z.size());
  CudaLaunch::for_each(z.size(), Convert<double, T>{a, wide.data()});
  decompose<double>(z, wide.data(), u.data(), s.data(), vt.data(), "nuclear_norm");
  CudaLaunch::column_sums<1, double>(1, z.k(), 1, Value{s.data()}, value);
  CudaLaunch::for_rows(z.n, z.k(), DropColumns{z.k(), drop, s.data(), u.data()});
  const double one = 1, zero = 0;
  check(cublasDgemm(blas(), CUBLAS_OP_N, CUBLAS_OP_N, int(z.m), int(z.n), int(z.k()), &one, vt.data(), int(z.m), u.data(),
                    int(z.k()), &zero, product.data(), int(z.m)),
        "nuclear_norm");
  CudaLaunch::for_each(z.size(), Convert<T, double>{product.data(), subgradient});
}

/// All graphs at once, without the host.
template <class T>
void nuclear_by_jacobi(double drop, const Sides& z, const Tensor& a, Tensor& value, Tensor& subgradient) {
  const std::int64_t graphs = a.shape()[0];
  const JacobiPlan plan(z.n, z.m);
  const Scratch<double> work(graphs * plan.work());
  jacobi_kernel<T><<<unsigned(graphs), jacobi_threads, 0, stream()>>>(plan, drop, a.data<T>(), work.data(), value.data<T>(),
                                                                      subgradient.data<T>());
  check_launch("nuclear_norm");
}

/// { |a[o, r, i]|, a² } of a matrix seen as [outer, reduced, inner].
template <class T>
struct Magnitude {
  std::int64_t reduced, inner;
  const T* a;
  __host__ __device__ std::array<double, 2> operator()(std::int64_t o, std::int64_t r, std::int64_t i) const {
    const double v = double(a[(o * reduced + r) * inner + i]);
    return {{v < 0 ? -v : v, v * v}};
  }
};

/// min(√(|A|₁ |A|_∞), |A|_F): both bound the largest singular value. One block.
__global__ void bound_kernel(std::int64_t n, const double* rows, std::int64_t m, const double* columns, double* bound) {
  __shared__ double top[3][block_threads];
  const int t = int(threadIdx.x);
  double row = 0, column = 0, squares = 0;
  for (std::int64_t i = t; i < n; i += block_threads) row = fmax(row, rows[i]), squares += rows[n + i];
  for (std::int64_t i = t; i < m; i += block_threads) column = fmax(column, columns[i]);
  top[0][t] = row, top[1][t] = column, top[2][t] = squares;
  __syncthreads();
  for (int step = block_threads / 2; step > 0; step /= 2) {
    if (t < step) {
      top[0][t] = fmax(top[0][t], top[0][t + step]);
      top[1][t] = fmax(top[1][t], top[1][t + step]);
      top[2][t] += top[2][t + step];
    }
    __syncthreads();
  }
  if (t == 0) *bound = fmin(sqrt(top[0][0]) * sqrt(top[1][0]), sqrt(top[2][0]));
}

/// x = a / bound, transposed if `across`; both as seen from a's row r and column c.
template <class T>
struct ScaledCopy {
  Sides z;
  bool across;
  const T* a;
  const double* bound;
  T* x;
  __device__ void operator()(std::int64_t r, std::int64_t c) const {
    x[across ? c * z.n + r : r * z.m + c] = *bound > 0 ? T(double(a[r * z.m + c]) / *bound) : T(0);
  }
};

template <class T>
struct Identity {
  std::int64_t n;
  T* s;
  __device__ void operator()(std::int64_t r, std::int64_t c) const { s[r * n + c] = T(r == c); }
};

template <class T>
struct InnerProduct {
  const T *a, *b;
  __host__ __device__ std::array<double, 1> operator()(std::int64_t, std::int64_t r, std::int64_t) const {
    return {{double(a[r]) * double(b[r])}};
  }
};

/// The polar iteration's matrix operations. Column-major libraries read X [rows, columns] as Xᵀ.
template <class T>
struct CudaAlgebra {
  Sides z;
  std::int64_t rows, columns;
  Scratch<T> x, y, s;
  Scratch<double> bound;

  CudaAlgebra(const Sides& sides, const T* a)
      : z(sides), rows(z.n > z.m ? z.n : z.m), columns(z.k()), x(z.size()), y(z.size()), s(columns * columns), bound(1) {
    const Scratch<double> row(2 * z.n), column(2 * z.m);
    CudaLaunch::column_sums<2, double>(z.n, z.m, 1, Magnitude<T>{z.m, 1, a}, row.data());
    CudaLaunch::column_sums<2, double>(1, z.n, z.m, Magnitude<T>{z.n, z.m, a}, column.data());
    bound_kernel<<<1, block_threads, 0, stream()>>>(z.n, row.data(), z.m, column.data(), bound.data());
    check_launch("polar bound");
    CudaLaunch::for_rows(z.n, z.m, ScaledCopy<T>{z, z.n < z.m, a, bound.data(), x.data()});
  }
  void gram(double c) {
    const T alpha = T(c), one = 1;
    CudaLaunch::for_rows(columns, columns, Identity<T>{columns, s.data()});
    check(Vendor<T>::syrk(blas(), CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, int(columns), int(rows), &alpha, x.data(),
                          int(columns), &one, s.data(), int(columns)),
          "polar");
  }
  void factorise() {  // panel by panel: what lies right of one loses the panel's product with itself
    const T one = 1, minus = -1;
    for (std::int64_t k = 0; k < columns; k += cholesky_columns) {
      const std::int64_t width = std::min<std::int64_t>(cholesky_columns, columns - k), rest = columns - k - width;
      T *const block = s.data() + k * (columns + 1), *const below = block + width, *const right = below + width * columns;
      cholesky_kernel<<<1, cholesky_threads, 0, stream()>>>(int(width), block, columns);
      check_launch("polar factorisation");
      if (rest == 0) break;
      check(Vendor<T>::trsm(blas(), CUBLAS_SIDE_RIGHT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_T, CUBLAS_DIAG_NON_UNIT, int(rest),
                            int(width), &one, block, int(columns), below, int(columns)),
            "polar");
      check(Vendor<T>::syrk(blas(), CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, int(rest), int(width), &minus, below, int(columns),
                            &one, right, int(columns)),
            "polar");
    }
  }
  void solve() {  // S = L Lᵀ, hence S⁻¹ Xᵀ = L⁻ᵀ (L⁻¹ Xᵀ)
    const T one = 1;
    engine::runtime(device()).copy_within(y.data(), x.data(), std::size_t(z.size()) * sizeof(T));
    for (const cublasOperation_t op : {CUBLAS_OP_N, CUBLAS_OP_T})
      check(Vendor<T>::trsm(blas(), CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, op, CUBLAS_DIAG_NON_UNIT, int(columns),
                            int(rows), &one, s.data(), int(columns), y.data(), int(columns)),
            "polar");
  }
  void combine(double p, double q) {
    const T alpha = T(p), beta = T(q);
    check(Vendor<T>::geam(blas(), CUBLAS_OP_N, CUBLAS_OP_N, int(columns), int(rows), &alpha, x.data(), int(columns), &beta,
                          y.data(), int(columns), x.data(), int(columns)),
          "polar");
  }
};

/// value = sum, or NaN where that is not a nuclear norm. A factorisation that failed has made it NaN.
template <class T>
struct CheckedSum {
  const double *bound, *sum;
  T* value;
  __device__ void operator()(std::int64_t) const {
    const bool good = *sum - *sum == 0 && (*sum > 0 || *bound == 0);  // only a zero matrix has the norm 0
    *value = good ? T(*sum) : T(NAN);
  }
};

/// ‖A‖_* = <A, U Vᵀ>; value NaN where a factorisation failed.
template <class T>
void nuclear_by_polar(const Sides& z, const T* a, T* value, T* subgradient) {
  CudaAlgebra<T> algebra(z, a);
  kernels::polar(algebra);
  if (z.n >= z.m) engine::runtime(device()).copy_within(subgradient, algebra.x.data(), std::size_t(z.size()) * sizeof(T));
  else transpose<T>(z.m, z.n, algebra.x.data(), subgradient);
  const Scratch<double> sum(1);
  CudaLaunch::column_sums<1, double>(1, z.size(), 1, InnerProduct<T>{a, subgradient}, sum.data());
  CudaLaunch::for_each(1, CheckedSum<T>{algebra.bound.data(), sum.data(), value});
}

}  // namespace

/// Thin SVD, one matrix after another, by one-sided Jacobi (gesvdj), where that does not converge by the QR algorithm
/// (gesvd). A matrix that holds NaN or infinity is refused with a BackendError that names it, as on the CPU.
void CudaBackend::svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt) {
  const Sides z{a.shape()[1], a.shape()[2]};
  if (a.size() == 0) return;
  engine::visit_float(a.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    require_finite<T>("svd", a, z);
    for (std::int64_t g = 0; g < a.shape()[0]; ++g)
      decompose<T>(z, a.data<T>() + g * z.size(), u.data<T>() + g * z.n * z.k(), s.data<T>() + g * z.k(),
                   vt.data<T>() + g * z.k() * z.m, "svd");
  });
}

/// Matrices with at most 64 rows or columns: all at once by the SVD of jacobi_kernels.cuh, whatever spec.polar says. The
/// host waits for nothing; NaN or infinity in a matrix makes its value and subgradient NaN.
/// Larger ones, one after another: by SVD in double; with spec.polar by the iteration of ops/kernels/nuclear_norm.inl in the
/// tensor's own precision, and by SVD where a factorisation failed. The host waits, and refuses NaN and infinity as svd()
/// does. While work is recorded it cannot wait: the iteration's value is NaN where it failed, and the SVD is a UsageError.
void CudaBackend::nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient) {
  const std::int64_t graphs = a.shape()[0];
  const Sides z{a.shape()[1], a.shape()[2]};
  if (a.size() == 0) return;
  engine::visit_float(a.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    if (JacobiPlan::fits(z.n, z.m)) return nuclear_by_jacobi<T>(spec.drop, z, a, value, subgradient);
    const bool recorded = recording();
    require<engine::UsageError>(spec.polar || !recorded,
                                "nuclear_norm: the SVD of a {} x {} matrix waits for the host and "
                                "cannot be recorded: use method.polar = true or train.replay = false",
                                z.n, z.m);
    if (!recorded) require_finite<T>("nuclear_norm", a, z);
    for (std::int64_t g = 0; g < graphs; ++g) {
      const T* matrix = a.data<T>() + g * z.size();
      T *sum = value.data<T>() + g, *factor = subgradient.data<T>() + g * z.size();
      if (spec.polar) {
        nuclear_by_polar<T>(z, matrix, sum, factor);
        if (recorded || !std::isnan(to_host(sum, 1)[0])) continue;
      }
      nuclear_by_svd<T>(spec.drop, z, matrix, sum, factor);
    }
  });
}

}  // namespace sagcl::ops::cuda
