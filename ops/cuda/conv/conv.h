#pragma once
#include "engine/tensor.h"
#include "ops/conv_geometry.h"

/// Convolution on the GPU, channels-last; the functions and shapes of ops/backend.h, by the fastest deterministic engine
/// (cudnn/conv_engines.h). f32 in the precision that engine::precision() names, under bf16 in TF32; f64 by definition
/// (ops/kernels/conv_reference.inl).
namespace sagcl::ops::cuda {

enum class Parts;
using engine::Tensor;

/// The memory that one convolution may take beside its operands: SAGCL_CONV_WORKSPACE in MiB, 1024 unless set.
std::int64_t workspace_limit();

void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y);
void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx);
void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw);

// --- activations x, y, dy, dx in bf16, as they are; false, and nothing is done, where that is not to be had ---------------

bool bf16_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y);
bool bf16_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx);
bool bf16_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw);

// --- kernels of our own (conv_kernels.cu) -------------------------------------------------------------------------

/// By definition, f32 or f64; pointers as the pass needs them.
void reference_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y);
void reference_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx);
void reference_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw);
/// flipped [C, kernel, O] = w [O, kernel, C] with both channel axes exchanged and the kernel turned round, f32.
void flip_weights(const ConvGeometry& g, const Tensor& w, Tensor& flipped);
/// y[r, c] += b[c]; y f32 or bf16, b f32.
void add_bias(const Tensor& b, Tensor& y);
/// x, n values in rows of `columns`, split for products on tensor cores: y [rows, 3, columns] (tf32_split.cuh).
void split_tf32(const float* x, std::int64_t n, std::int64_t columns, Parts parts, float* y);
/// ||a - b|| / ||b|| of n values each; waits for the GPU.
double relative_difference(const float* a, const float* b, std::int64_t n);
/// Half a millisecond in which the GPU does nothing.
void delay();

}  // namespace sagcl::ops::cuda
