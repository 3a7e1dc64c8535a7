#pragma once
// A block of a Cholesky factorisation, S = L Lᵀ. cuSOLVER's potrf is not known to work while a CUDA graph is recorded; this
// kernel and cuBLAS's products are.
#include <cmath>
#include <cstdint>

namespace sagcl::ops::cuda {

constexpr int cholesky_threads = 256;
constexpr int cholesky_columns = 48;  // in shared memory, 18 KiB in double

/// The lower triangle of S [n, n], column-major with `stride` elements from column to column, becomes L; n <=
/// cholesky_columns, one block of threads. Where S is not positive definite L holds NaN from that column on.
template <class T>
__global__ void __launch_bounds__(cholesky_threads) cholesky_kernel(int n, T* s, std::int64_t stride) {
  __shared__ T l[cholesky_columns][cholesky_columns];  // l[column][row]
  const int t = int(threadIdx.x);
  for (int i = t; i < n * n; i += cholesky_threads) l[i / n][i % n] = s[(i / n) * stride + i % n];
  __syncthreads();
  for (int k = 0; k < n; ++k) {
    const T pivot = l[k][k], root = pivot > 0 ? sqrt(pivot) : T(NAN);
    __syncthreads();
    for (int row = k + t; row < n; row += cholesky_threads) l[k][row] = row == k ? root : l[k][row] / root;
    __syncthreads();
    const int rest = n - k - 1;
    for (int i = t; i < rest * rest; i += cholesky_threads) {
      const int column = k + 1 + i / rest, row = k + 1 + i % rest;
      if (row >= column) l[column][row] -= l[k][row] * l[k][column];
    }
    __syncthreads();
  }
  for (int i = t; i < n * n; i += cholesky_threads)
    if (i % n >= i / n) s[(i / n) * stride + i % n] = l[i / n][i % n];
}

}  // namespace sagcl::ops::cuda
