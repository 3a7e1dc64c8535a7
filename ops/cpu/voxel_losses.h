#pragma once
#include "ops/backend.h"

/// The losses over voxels in single precision, 16 voxels at a time. A block of voxels is turned into one
/// plane per class, so that every step is the same plain loop over voxels. Up to 16 classes; the shared kernels, whose
/// formulas these are, do the rest. Results are as in Backend and do not depend on the number of threads.
namespace sagcl::ops::cpu {

/// True for what the functions below can do.
bool has_voxel_kernel(const Tensor& z);

void cross_entropy(const Tensor& z, const Tensor& labels, Tensor& loss, Tensor& count);
void cross_entropy_backward(const Tensor& z, const Tensor& labels, const Tensor& count, const Tensor& dloss, Tensor& dz);
void soft_cross_entropy(const Tensor& z, const Tensor& q, Tensor& loss);
void soft_cross_entropy_backward(const Tensor& z, const Tensor& q, const Tensor& dloss, Tensor& dz);
void dice_sums(bool squared, const Tensor& p, const Tensor& y, const Tensor& labels, Tensor& sums);

}  // namespace sagcl::ops::cpu
