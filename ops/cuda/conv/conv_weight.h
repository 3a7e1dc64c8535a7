#pragma once
#include "engine/tensor.h"
#include "ops/conv_geometry.h"

/// The weight gradient of 3x3 and 3x3x3 convolutions with few channels, on tensor cores in TF32. cuDNN's engines are far
/// from the memory's speed there: with 16 channels they spend most of their tiles on padding.
namespace sagcl::ops::cuda {

using engine::Tensor;

/// f32, stride 1, padding 1, kernel 3x3x3 or 1x3x3; 1, 16, 32, 48 or 64 channels in and 16 to 64 out; rows that fit into
/// shared memory.
bool own_weight_gradient_serves(const ConvGeometry& g);

/// dw[o, k, c] = Σ dy[p, o] x[p + k - 1, c]; products of operands rounded to TF32, sums in f32, joined in a fixed order.
void own_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dw);

}  // namespace sagcl::ops::cuda
