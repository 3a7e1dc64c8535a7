#pragma once
#include "ops/backend.h"

/// Pooling and resizing, four channels at a time; the functions of ops/backend.h. Each returns false for a case it does not
/// serve (other dtypes, channels not in fours, overlapping windows): the shared body takes it then.
namespace sagcl::ops::cuda {

bool max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index);
bool max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx);
bool resize(const ResizeGeometry& g, const Tensor& x, Tensor& y);
bool resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx);

}  // namespace sagcl::ops::cuda
