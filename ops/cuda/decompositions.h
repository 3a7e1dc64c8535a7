#pragma once
#include "ops/backend.h"

/// Singular values on the GPU.
namespace sagcl::ops::cuda {

/// Thin SVD, one matrix after another, by one-sided Jacobi (gesvdj), where that does not converge by the QR algorithm (gesvd).
/// A matrix that holds NaN or infinity is refused with a BackendError that names it, as on the CPU.
void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt);

/// Matrices with at most 64 rows or columns: all at once by the SVD of jacobi_kernels.cuh, whatever spec.polar says. The host
/// waits for nothing; NaN or infinity in a matrix makes its value and subgradient NaN.
/// Larger ones, one after another: by SVD in double; with spec.polar by the iteration of ops/kernels/polar.inl in the tensor's
/// own precision, and by SVD where a factorisation failed. The host waits, and refuses NaN and infinity as svd() does. While
/// work is recorded it cannot wait: the iteration's value is NaN where it failed, and the SVD is a UsageError.
void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient);

}  // namespace sagcl::ops::cuda
