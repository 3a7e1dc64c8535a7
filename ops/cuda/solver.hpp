#pragma once
#include <cusolverDn.h>

#include "ops/cuda/matmul.hpp"
#include "ops/cuda/runtime/scratch.h"
#include "ops/cuda/runtime/stream.h"

/// cuSOLVER and cuBLAS for both floating-point types, column-major as they are.
namespace sagcl::ops::cuda {

inline void check(cusolverStatus_t status, const char* what) {
  if (status == CUSOLVER_STATUS_ALLOC_FAILED) fail_out_of_memory(what);
  engine::require<engine::BackendError>(status == CUSOLVER_STATUS_SUCCESS, "{}: cuSOLVER status {}", what, int(status));
}

inline cusolverDnHandle_t solver() {
  static const cusolverDnHandle_t handle = [] {
    cusolverDnHandle_t h = nullptr;
    check(cusolverDnCreate(&h), "cusolverDnCreate");
    check(cusolverDnSetStream(h, stream()), "cusolverDnSetStream");
    check(cusolverDnSetDeterministicMode(h, CUSOLVER_DETERMINISTIC_RESULTS), "cusolverDnSetDeterministicMode");
    return h;
  }();
  return handle;
}

/// The functions of cuSOLVER and cuBLAS that differ in one letter.
template <class T>
struct Vendor;
template <>
struct Vendor<float> {
  static constexpr auto gesvdj_size = cusolverDnSgesvdj_bufferSize;
  static constexpr auto gesvdj = cusolverDnSgesvdj;
  static constexpr auto gesvd_size = cusolverDnSgesvd_bufferSize;
  static constexpr auto gesvd = cusolverDnSgesvd;
  static constexpr auto geam = cublasSgeam;
  static constexpr auto syrk = cublasSsyrk;
  static constexpr auto trsm = cublasStrsm;
};
template <>
struct Vendor<double> {
  static constexpr auto gesvdj_size = cusolverDnDgesvdj_bufferSize;
  static constexpr auto gesvdj = cusolverDnDgesvdj;
  static constexpr auto gesvd_size = cusolverDnDgesvd_bufferSize;
  static constexpr auto gesvd = cusolverDnDgesvd;
  static constexpr auto geam = cublasDgeam;
  static constexpr auto syrk = cublasDsyrk;
  static constexpr auto trsm = cublasDtrsm;
};

/// out [columns, rows] = inᵀ, both row-major, in [rows, columns].
template <class T>
void transpose(std::int64_t rows, std::int64_t columns, const T* in, T* out) {
  const T one = 1, zero = 0;
  check(Vendor<T>::geam(blas(), CUBLAS_OP_T, CUBLAS_OP_N, int(rows), int(columns), &one, in, int(columns), &zero, out,
                        int(rows), out, int(rows)),
        "transpose");
}

}  // namespace sagcl::ops::cuda
