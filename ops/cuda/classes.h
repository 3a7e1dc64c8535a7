#pragma once
#include "ops/backend.h"

/// Softmax and losses of few classes; the functions of ops/backend.h. Each returns false for a case it does not serve (other
/// dtypes, more than four classes, voxels not in fours): the shared body takes it then.
namespace sagcl::ops::cuda {

bool softmax(bool logarithm, const Tensor& x, Tensor& y);
bool softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx);
bool cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count);
bool cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss, Tensor& dz);

}  // namespace sagcl::ops::cuda
