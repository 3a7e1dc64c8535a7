#pragma once
#include "ops/backend.h"

/// Singular values on the GPU, one matrix after another. A matrix that holds NaN or infinity is refused with a
/// BackendError that names it, as on the CPU.
namespace sagcl::ops::cuda {

/// Thin SVD by one-sided Jacobi (gesvdj), where that does not converge by the QR algorithm (gesvd).
void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt);

/// By SVD in double; with spec.polar by the iteration of ops/kernels/polar.inl in the tensor's own precision, and by SVD
/// where a factorisation failed.
void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient);

}  // namespace sagcl::ops::cuda
