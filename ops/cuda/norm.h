#pragma once
#include "ops/backend.h"

/// Normalisation at the speed of the memory; the functions and meanings of ops/backend.h.
namespace sagcl::ops::cuda {

/// Whether the kernels here serve this case: f32, channels in fours and at most 1024. Others take ops/kernels/norm.inl.
bool norm_is_fast(const NormGeometry& g, const Tensor& x);

void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance);
void norm_apply(const NormGeometry& g, Activation act, double eps, const Tensor& x, const Tensor& mean,
                const Tensor& variance, const Tensor& gamma, const Tensor& beta, Tensor& y);
void norm_backward(const NormGeometry& g, Activation act, double eps, bool fixed, const Tensor& x, const Tensor& mean,
                   const Tensor& variance, const Tensor& gamma, const Tensor& beta, const Tensor& dy, Tensor& dx,
                   Tensor& dgamma, Tensor& dbeta);

}  // namespace sagcl::ops::cuda
