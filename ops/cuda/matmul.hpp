#pragma once
#include <cublas_v2.h>

#include "ops/backend.h"

namespace sagcl::ops::cuda {

/// BackendError with cuBLAS's text unless `status` is success.
void check(cublasStatus_t status, const char* what);

/// The one handle, on our stream, with a workspace of its own so that results do not depend on what ran before.
cublasHandle_t blas();

/// y = a b, all products and sums in full precision of the dtype (never TF32).
void matmul(const MatmulGeometry& g, const Tensor& a, const Tensor& b, Tensor& y);

}  // namespace sagcl::ops::cuda
