#pragma once
#include "engine/tensor.h"
#include "ops/conv_geometry.h"

/// Convolution on the CPU, channels-last. The caller has checked shapes, dtypes and devices.
///
/// f64 is computed by definition (ops/kernels/conv_reference.inl). f32 is computed by our own SIMD kernels, built for
/// several instruction sets and chosen when the program runs (ops/cpu/README.md). The environment variable SAGCL_CONV,
/// read once, selects another path for f32 to compare with: `own` (default), `onednn` or `reference`.
/// Every path but `onednn` returns the same bits for any number of threads; those of `own` belong to one instruction set.
namespace sagcl::ops::cpu {

using engine::Tensor;

/// y[n, p, o] = b[o] + Σ_k Σ_c x[n, p * stride + k - padding, c] w[o, k, c]
/// x [N, in, C], w [O, kernel, C], b [O] or undefined, y [N, out, O] (overwritten).
void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y);

/// dx[n, q, c] = b[c] + Σ_k Σ_o dy[n, (q + padding - k) / stride, o] w[o, k, c], over the k that divide.
/// w [O, kernel, C], dy [N, out, O], b [C] or undefined, dx [N, in, C] (overwritten).
/// The gradient of the input; with a bias, the forward pass of the transposed convolution.
void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx);

/// dw[o, k, c] = Σ_n Σ_p dy[n, p, o] x[n, p * stride + k - padding, c]
/// x [N, in, C], dy [N, out, O], dw [O, kernel, C] (overwritten).
void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw);

/// "own kernels, avx512": the path and the instruction set that f32 convolutions take on this machine.
std::string conv_description();

}  // namespace sagcl::ops::cpu
