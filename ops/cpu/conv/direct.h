#pragma once
#include "ops/cpu/conv/lattice.h"

/// Convolution of any geometry with register-tiled kernels that read the activations in place.
namespace sagcl::ops::cpu {

using engine::Tensor;

/// Forward or data gradient (which, the lattice says): result = bias + source * weights. `weights` [O, kernel, C] and
/// `bias` (or null) belong to the geometry g that the lattice was made from.
void direct_gather(const ConvGeometry& g, const Lattice& lattice, const float* source, const float* weights,
                   const float* bias, float* result);

/// The weight gradient. Long sums are cut into a number of slices that depends only on g; each slice is summed by itself
/// and the slices are added in order.
void direct_backward_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw);

}  // namespace sagcl::ops::cpu
