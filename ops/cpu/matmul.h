#pragma once
#include "ops/backend.h"

namespace sagcl::ops::cpu {

/// y[g] = op(a[g]) op(b[g]) as Backend::matmul states it: f32 by our own kernels, f64 by BLAS. The work is cut into blocks
/// that depend on the geometry alone, each computed by one thread: the bits do not depend on the number of threads. In f32
/// AVX2 and AVX-512 give the same bits, plain x86-64 (no fused multiply-adds) others.
void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y);

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
