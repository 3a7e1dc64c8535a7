#pragma once
#include <cstdint>

namespace sagcl::ops::cpu {

/// One product in one thread, row-major: c [m,n] = op(a) op(b), leading dimensions as stored.
struct Gemm {
  bool transpose_a = false, transpose_b = false;
  std::int64_t m, n, k;
  std::int64_t lda, ldb, ldc;
};
void gemm(const Gemm& g, const float* a, const float* b, float* c);
void gemm(const Gemm& g, const double* a, const double* b, double* c);

/// Keeps OpenBLAS on the thread that calls it: its own threads would change the order of sums, and our loops already use
/// all cores. To be called before any function of BLAS or LAPACK.
void one_blas_thread();

}  // namespace sagcl::ops::cpu
