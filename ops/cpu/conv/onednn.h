#pragma once
#include "engine/tensor.h"
#include "ops/conv_geometry.h"

/// The three passes through oneDNN, channels-last, as a yardstick for our own kernels (SAGCL_CONV=onednn).
/// Its weight gradients are not the same bits for different numbers of threads.
namespace sagcl::ops::cpu {

void onednn_forward(const ConvGeometry& g, const float* x, const float* w, const float* b, float* y);
void onednn_backward_data(const ConvGeometry& g, const float* w, const float* dy, const float* b, float* dx);
void onednn_backward_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw);

}  // namespace sagcl::ops::cpu
