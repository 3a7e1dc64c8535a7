#pragma once
#include "ops/backend.h"

/// Passes over memory, 16 bytes per access; the functions of ops/backend.h. Each returns false for a case it does not
/// serve: the shared body takes it then.
namespace sagcl::ops::cuda {

bool dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y);
bool sum(const Tensor& x, const Axes& v, double scale, Tensor& y);
bool copy_block(const BlockCopy& block, const Tensor& x, Tensor& y);

/// y[r, c] += b[c], f32.
void add_bias(const Tensor& b, Tensor& y);

}  // namespace sagcl::ops::cuda
