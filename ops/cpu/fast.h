#pragma once
#include "ops/backend.h"

/// Faster f32 forms of shared kernels, where the shared body stays well below the speed of memory. Each computes what
/// its namesake in ops/backend.h states; results do not depend on threads or on the processor's instruction set.
namespace sagcl::ops::cpu {

void norm_statistics(const NormGeometry& g, const Tensor& x, Tensor& mean, Tensor& variance);
void norm_apply(const NormGeometry& g, Activation act, double eps, const Tensor& x, const Tensor& mean, const Tensor& variance,
                const Tensor& gamma, const Tensor& beta, Tensor& y);
void norm_backward(const NormGeometry& g, Activation act, double eps, bool fixed, const Tensor& x, const Tensor& mean,
                   const Tensor& variance, const Tensor& gamma, const Tensor& beta, const Tensor& dy, Tensor& dx, Tensor& dgamma,
                   Tensor& dbeta);

void sum(const Tensor& x, const Axes& v, double scale, Tensor& y);
void dropout(const DropoutSpec& spec, const Tensor& x, Tensor& y);  ///< not per channel

void softmax(bool logarithm, const Tensor& x, Tensor& y);  ///< 2 to 4 columns
void softmax_backward(bool logarithm, const Tensor& y, const Tensor& dy, Tensor& dx);

void max_pool(const PoolGeometry& g, const Tensor& x, Tensor& y, Tensor& index);
void max_pool_backward(const PoolGeometry& g, const Tensor& index, const Tensor& dy, Tensor& dx);  ///< windows that do not overlap
void resize(const ResizeGeometry& g, const Tensor& x, Tensor& y);
void resize_backward(const ResizeGeometry& g, const Tensor& dy, Tensor& dx);

void copy_block(const BlockCopy& block, const Tensor& x, Tensor& y);                    ///< any dtype
void patches(const Extents& grid, bool inverse, const Tensor& x, Tensor& y);            ///< any dtype

}  // namespace sagcl::ops::cpu
