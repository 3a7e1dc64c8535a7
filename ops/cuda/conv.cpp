#include "ops/cuda/conv.h"

#include "engine/devices/buffer.h"
#include "engine/devices/precision.h"
#include "ops/cuda/cudnn/conv_engines.h"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {
namespace {

using engine::Buffer;
using engine::Precision;

/// A bf16 copy of a tensor for the time of one call.
struct Bf16 {
  Buffer buffer;
  std::int64_t n;
  explicit Bf16(std::int64_t size) : buffer(device(), std::size_t(2 * size)), n(size) {}
  explicit Bf16(const Tensor& t) : Bf16(t.size()) { to_bf16(t.data<float>(), buffer.data(), n); }
  void* data() const { return buffer.data(); }
};

/// Runs a request in the precision it asks for. Our tensors are f32: for bf16, narrow() makes copies, and where that costs
/// more time than it saves, wide() takes the request in TF32, which is finer.
template <class Narrow, class Wide>
bool in_precision(const PlanRequest& request, Narrow narrow, Wide wide) {
  if (request.precision != Precision::bf16) return wide(request);
  PlanRequest finer = request;
  finer.precision = Precision::tf32;
  const auto must = [](bool done) { engine::require<engine::BackendError>(done, "conv: no engine"); };
  if (!second_is_faster(
          "copies " + request.key(), [&] { must(wide(finer)); }, [&] { must(narrow(request)); }))
    return wide(finer);
  return narrow(request) || wide(finer);
}

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

bool in_f64(const Tensor& t) { return t.dtype() == engine::Dtype::f64; }

}  // namespace

void conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  if (y.size() == 0) return;
  if (in_f64(y)) return reference_forward(g, x, w, b, y);
  const auto narrow = [&](const PlanRequest& request) {
    const Bf16 x16(x), w16(w), y16(y.size());
    const Bf16 b16 = b.defined() ? Bf16(b) : Bf16(1);
    const bool done = run(request, {x16.data(), w16.data(), y16.data(), b16.data()});
    if (done) from_bf16(y16.data(), y.data<float>(), y.size());
    return done;
  };
  const auto wide = [&](const PlanRequest& request) {
    return run(request, {address(x), address(w), address(y), address(b)});
  };
  if (!in_precision({g, Pass::forward, engine::precision(), b.defined()}, narrow, wide)) reference_forward(g, x, w, b, y);
}

void conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  if (dx.size() == 0) return;
  if (in_f64(dx)) return reference_data(g, w, dy, b, dx);
  if (is_forward_turned_round(g)) {
    Tensor flipped = Tensor::empty_like(w);
    flip_weights(g, w, flipped);
    return conv_forward(turned_round(g), dy, flipped, b, dx);
  }
  const auto narrow = [&](const PlanRequest& request) {
    const Bf16 w16(w), y16(dy), x16(dx.size());
    const bool done = run(request, {x16.data(), w16.data(), y16.data(), nullptr});
    if (done) from_bf16(x16.data(), dx.data<float>(), dx.size());
    return done;
  };
  const auto wide = [&](const PlanRequest& request) {
    return run(request, {address(dx), address(w), address(dy), nullptr});
  };
  if (!in_precision({g, Pass::data, engine::precision(), false}, narrow, wide)) return reference_data(g, w, dy, b, dx);
  if (b.defined()) add_bias(b, dx);
}

void conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  if (dw.size() == 0) return;
  if (in_f64(dw)) return reference_weight(g, x, dy, dw);
  const auto narrow = [&](const PlanRequest& request) {
    const Bf16 x16(x), y16(dy), w16(dw.size());
    const bool done = run(request, {x16.data(), w16.data(), y16.data(), nullptr});
    if (done) from_bf16(w16.data(), dw.data<float>(), dw.size());
    return done;
  };
  const auto wide = [&](const PlanRequest& request) {
    return run(request, {address(x), address(dw), address(dy), nullptr});
  };
  if (!in_precision({g, Pass::weight, engine::precision(), false}, narrow, wide)) reference_weight(g, x, dy, dw);
}

}  // namespace sagcl::ops::cuda
