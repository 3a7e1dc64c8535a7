#include "ops/cuda/conv/conv.h"

#include <algorithm>

#include "engine/devices/precision.h"
#include "ops/arithmetic.h"
#include "ops/backend.h"
#include "ops/cuda/conv/conv_weight.h"
#include "ops/cuda/cudnn/conv_engines.h"

namespace sagcl::ops::cuda {
namespace {

using engine::Dtype;
using engine::Precision;

/// Products of f32 operands: under bf16 what is still f32 takes TF32, which is finer and costs no copies.
Precision of_f32() { return std::min(engine::precision(), Precision::tf32); }

void* address(const Tensor& t) { return t.defined() ? t.bytes_begin() : nullptr; }

/// With stride 1 the data gradient is a forward convolution with the kernel turned round: cuDNN's forward engines are up to
/// twice as fast, and add the bias on the way.
ConvGeometry turned_round(const ConvGeometry& g) {
  ConvGeometry t = g;
  t.C = g.O, t.O = g.C, t.in = g.out, t.out = g.in;
  for (int a = 0; a < 3; ++a) t.padding[a] = g.kernel[a] - 1 - g.padding[a];
  return t;
}

/// Left alone: fewer than four channels, which cuDNN pads.
bool is_forward_turned_round(const ConvGeometry& g) {
  const ConvGeometry t = turned_round(g);
  return g.stride == Extents{{1, 1, 1}} && g.O % 4 == 0 && t.padding[0] >= 0 && t.padding[1] >= 0 && t.padding[2] >= 0;
}

Tensor flipped(const ConvGeometry& g, const Tensor& w) {
  Tensor result = Tensor::empty_like(w);
  flip_weights(g, w, result);
  return result;
}

bool in_f64(const Tensor& t) { return t.dtype() == Dtype::f64; }

}  // namespace

void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  if (y.size() == 0) return;
  if (in_f64(y) || !run({g, Pass::forward, of_f32(), b.defined()}, {address(x), address(w), address(y), address(b)}))
    reference_forward(g, x, w, b, y);
}

void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  if (dx.size() == 0) return;
  if (in_f64(dx)) return reference_data(g, w, dy, b, dx);
  if (is_forward_turned_round(g)) return conv_forward(turned_round(g), dy, flipped(g, w), b, dx);
  if (!run({g, Pass::data, of_f32(), false}, {address(dx), address(w), address(dy), nullptr}))
    return reference_data(g, w, dy, b, dx);
  if (b.defined()) add_bias(b, dx);
}

void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  if (dw.size() == 0) return;
  if (in_f64(dw) || !run({g, Pass::weight, of_f32(), false}, {address(x), address(dw), address(dy), nullptr}))
    reference_weight(g, x, dy, dw);
}

bool bf16_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  if (y.size() == 0) return true;
  const Tensor w16 = converted(w, Dtype::bf16), b16 = b.defined() ? converted(b, Dtype::bf16) : b;
  return run({g, Pass::forward, Precision::bf16, b.defined()}, {address(x), address(w16), address(y), address(b16)});
}

bool bf16_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  if (dx.size() == 0) return true;
  if (is_forward_turned_round(g)) return bf16_forward(turned_round(g), dy, flipped(g, w), b, dx);
  const Tensor w16 = converted(w, Dtype::bf16);
  if (!run({g, Pass::data, Precision::bf16, false}, {address(dx), address(w16), address(dy), nullptr})) return false;
  if (b.defined()) add_bias(b, dx);
  return true;
}

bool bf16_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  if (dw.size() == 0) return true;
  if (own_weight_gradient_serves(g)) return false;  // in TF32, twice as fast as cuDNN's and without a rounded dw
  const Tensor dw16 = Tensor::empty(dw.shape(), Dtype::bf16, dw.device());
  if (!run({g, Pass::weight, Precision::bf16, false}, {address(x), address(dw16), address(dy), nullptr})) return false;
  backend(dw.device()).convert(dw16, dw);
  return true;
}

}  // namespace sagcl::ops::cuda
