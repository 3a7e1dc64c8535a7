#pragma once
#include "ops/backend.h"

/// Singular values on the CPU, by LAPACK, one matrix per thread. A matrix that holds NaN or infinity is refused with a
/// BackendError that names it: LAPACK would return nonsense or never return.
namespace sagcl::ops::cpu {

/// Thin SVD by divide and conquer (gesdd). a [G,N,M] -> u [G,N,K], s [G,K] descending, vt [G,K,M], K = min(N,M).
void svd(const Tensor& a, Tensor& u, Tensor& s, Tensor& vt);

/// value [G] = Σ s and subgradient [G,N,M] = U Vᵀ over the singular values s > 0 with s >= drop * s_max.
/// By SVD; float matrices with both sides up to 256 are decomposed in double. With spec.polar by the iteration of
/// ops/kernels/polar.inl, whose result replaces `drop` by a soft limit at 1e-5; where it fails, by SVD.
void nuclear_norm(const NuclearNormSpec& spec, const Tensor& a, Tensor& value, Tensor& subgradient);

}  // namespace sagcl::ops::cpu
