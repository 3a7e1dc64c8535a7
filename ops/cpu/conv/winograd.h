#pragma once
#include "ops/cpu/conv/lattice.h"

/// Winograd's minimal filtering for kernels that are 3 x 3 in the plane with stride 1: F(4x4, 3x3) computes 16 results
/// with 36 products instead of 144. The kernel's depth is summed in the matrix product, so 3x3x3 profits alike.
/// Measured error: a few times the direct sum's, about 1e-6 relative to the result's size.
namespace sagcl::ops::cpu {

/// Whether this is a filter that is 3 x 3 in the plane, with stride 1, of channels by the eight.
bool winograd_applies(const ConvGeometry& g);

/// The tile size M of F(M x M, 3 x 3) that is expected to be fastest for a lattice of this shape; 0 where the direct
/// kernels are, or where Winograd does not apply. Depends on the geometry alone,
/// of planes on that of their volume.
int winograd_tile(const ConvGeometry& g, const Lattice& lattice);
int winograd_weight_tile(const ConvGeometry& g);

/// As direct_gather, for tile size m.
void winograd_gather(const ConvGeometry& g, const Lattice& lattice, int m, const float* source, const float* weights,
                     const float* bias, float* result);

/// The same for layers whose transformed filters would be too large to keep: winograd_gather() calls it for them.
void winograd_gather_wide(const ConvGeometry& g, const Lattice& lattice, int m, const float* source, const float* weights,
                          const float* bias, float* result);

/// As direct_backward_weight, for tile size m.
void winograd_backward_weight(const ConvGeometry& g, int m, const float* x, const float* dy, float* dw);

}  // namespace sagcl::ops::cpu
