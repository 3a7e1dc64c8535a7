#include "ops/cpu/conv/conv.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "engine/parallel.h"
#include "ops/cpu/conv/direct.h"
#include "ops/cpu/conv/onednn.h"
#include "ops/cpu/conv/winograd.h"
#include "ops/cpu/conv/work.h"
#include "ops/cpu/cpu_backend.h"
#include "ops/cpu/kernels.h"
#include "ops/kernels/conv_reference.inl"

namespace sagcl::ops::cpu {
namespace {

enum class Path { own, direct, winograd2, winograd4, onednn, reference };
constexpr std::pair<std::string_view, Path> paths[] = {
    {"own", Path::own},       {"direct", Path::direct},      {"winograd2", Path::winograd2}, {"winograd4", Path::winograd4},
    {"onednn", Path::onednn}, {"reference", Path::reference}};

/// The environment variable SAGCL_CONV, read once.
Path path() {
  static const Path chosen = [] {
    const char* value = std::getenv("SAGCL_CONV");
    const std::string_view name = value ? value : "own";
    const auto found = std::find_if(std::begin(paths), std::end(paths), [&](const auto& p) { return p.first == name; });
    engine::require<engine::UsageError>(
        found != std::end(paths), "SAGCL_CONV is '{}', expected own, direct, winograd2, winograd4, onednn or reference",
        name);
    return found->second;
  }();
  return chosen;
}

bool by_definition(const Tensor& t) { return t.dtype() == engine::Dtype::f64 || path() == Path::reference; }

template <class T>
const T* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

/// A bias for every channel of the simplified geometry, where several taps of the original became channels of their own.
Tensor widened(const Tensor& b, std::int64_t channels) {
  if (!b.defined() || b.size() == channels) return b;
  Tensor wide = Tensor::empty({channels});
  for (std::int64_t i = 0; i < channels; ++i) wide.data<float>()[i] = b.data<float>()[i % b.size()];
  return wide;
}

/// The tile size of Winograd's filtering, 0 for the direct kernels: what is expected to be fastest, or what is asked for.
template <class Fastest>
int tile(const ConvGeometry& g, Fastest&& fastest) {
  if (path() == Path::own) return fastest();
  if (path() == Path::direct || !winograd_applies(g)) return 0;
  return path() == Path::winograd2 ? 2 : 4;
}
int gather_tile(const ConvGeometry& g, const Lattice& lattice) {
  return tile(g, [&] { return winograd_tile(g, lattice); });
}
int weight_tile(const ConvGeometry& g) {
  return tile(g, [&] { return winograd_weight_tile(g); });
}

/// Forward or data gradient with our own kernels.
void gather(const ConvGeometry& g, const Lattice& lattice, const float* source, const float* weights, const float* bias,
            float* result) {
  if (const int m = gather_tile(g, lattice)) return winograd_gather(g, lattice, m, source, weights, bias, result);
  direct_gather(g, lattice, source, weights, bias, result);
}

void sum_weights(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  if (const int m = weight_tile(g)) return winograd_backward_weight(g, m, x, dy, dw);
  direct_backward_weight(g, x, dy, dw);
}

/// With zeros for further input channels up to a multiple of 16, which suits Winograd. Few beside many, or it would not pay.
ConvGeometry rounded_up(ConvGeometry g) {
  if (g.C > 32) g.C = ceil_div(g.C, 16) * 16;
  return g;
}

/// Rows of other channels: what is missing becomes zero, what is too much is left out.
void copy_channels(const float* from, std::int64_t channels, float* to, std::int64_t to_channels, std::int64_t rows) {
  const std::int64_t both = std::min(channels, to_channels);
  engine::parallel_for(rows, 1 + 16384 / to_channels, [&](std::int64_t r) {
    float* const row = to + r * to_channels;
    std::fill_n(std::copy_n(from + r * channels, both, row), to_channels - both, 0.0f);
  });
}

Tensor with_channels(const float* from, std::int64_t channels, std::int64_t to_channels, std::int64_t rows) {
  Tensor to = scratch_memory(rows * to_channels);
  copy_channels(from, channels, to.data<float>(), to_channels, rows);
  return to;
}

void forward(const ConvGeometry& g, const float* x, const float* w, const float* b, float* y) {
  const ConvGeometry wide = rounded_up(g);
  if (wide.C == g.C || gather_tile(wide, forward_lattice(wide)) == 0) return gather(g, forward_lattice(g), x, w, b, y);
  const Tensor wide_x = with_channels(x, g.C, wide.C, g.N * g.in.volume());
  const Tensor wide_w = with_channels(w, g.C, wide.C, g.O * g.kernel.volume());
  gather(wide, forward_lattice(wide), wide_x.data<float>(), wide_w.data<float>(), b, y);
}

void backward_data(const ConvGeometry& g, const float* w, const float* dy, const float* b, float* dx) {
  const ConvGeometry wide = rounded_up(g);
  if (wide.C == g.C || b || gather_tile(wide, backward_lattice(wide)) == 0)
    return gather(g, backward_lattice(g), dy, w, b, dx);
  const Tensor wide_w = with_channels(w, g.C, wide.C, g.O * g.kernel.volume());
  Tensor wide_dx = scratch_memory(g.N * g.in.volume() * wide.C);
  gather(wide, backward_lattice(wide), dy, wide_w.data<float>(), nullptr, wide_dx.data<float>());
  copy_channels(wide_dx.data<float>(), wide.C, dx, g.C, g.N * g.in.volume());
}

void backward_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  const ConvGeometry wide = rounded_up(g);
  if (wide.C == g.C || weight_tile(wide) == 0) return sum_weights(g, x, dy, dw);
  const Tensor wide_x = with_channels(x, g.C, wide.C, g.N * g.in.volume());
  Tensor wide_dw = scratch_memory(g.O * g.kernel.volume() * wide.C);
  sum_weights(wide, wide_x.data<float>(), dy, wide_dw.data<float>());
  copy_channels(wide_dw.data<float>(), wide.C, dw, g.C, g.O * g.kernel.volume());
}

}  // namespace

namespace {

bool any_empty(const Tensor& a, const Tensor& b) { return a.size() == 0 || b.size() == 0; }

/// The result of a sum of no terms: the bias, or 0.
void fill_with_bias(const Tensor& b, Tensor& y) {
  const std::int64_t channels = y.shape()[4];
  for (std::int64_t i = 0; i < y.size(); ++i) y.data<float>()[i] = b.defined() ? b.data<float>()[i % channels] : 0;
}

}  // namespace

void CpuBackend::conv_forward(const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y) {
  if (!by_definition(x)) {
    if (any_empty(x, w)) return fill_with_bias(b, y);
    if (path() == Path::onednn)
      return onednn_forward(g, x.data<float>(), w.data<float>(), data_or_null<float>(b), y.data<float>());
    return forward(simplified(g), x.data<float>(), w.data<float>(), data_or_null<float>(b), y.data<float>());
  }
  engine::visit_float(x.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(y.size(), 64,
                         kernels::ConvForward<T>{g, x.data<T>(), w.data<T>(), data_or_null<T>(b), y.data<T>()});
  });
}

void CpuBackend::conv_backward_data(const ConvGeometry& g, const Tensor& w, const Tensor& dy, const Tensor& b, Tensor& dx) {
  if (!by_definition(dy)) {
    if (any_empty(dy, w)) return fill_with_bias(b, dx);
    if (path() == Path::onednn)
      return onednn_backward_data(g, w.data<float>(), dy.data<float>(), data_or_null<float>(b), dx.data<float>());
    const ConvGeometry s = simplified(g);
    const Tensor bias = widened(b, s.C);
    return backward_data(s, w.data<float>(), dy.data<float>(), data_or_null<float>(bias), dx.data<float>());
  }
  engine::visit_float(dy.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(dx.size(), 64,
                         kernels::ConvBackwardData<T>{g, w.data<T>(), dy.data<T>(), data_or_null<T>(b), dx.data<T>()});
  });
}

void CpuBackend::conv_backward_weight(const ConvGeometry& g, const Tensor& x, const Tensor& dy, Tensor& dw) {
  if (!by_definition(x)) {
    if (any_empty(x, dy)) return fill_with_bias({}, dw);
    if (path() == Path::onednn) return onednn_backward_weight(g, x.data<float>(), dy.data<float>(), dw.data<float>());
    return backward_weight(simplified(g), x.data<float>(), dy.data<float>(), dw.data<float>());
  }
  engine::visit_float(x.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(dw.size(), 8, kernels::ConvBackwardWeight<T>{g, x.data<T>(), dy.data<T>(), dw.data<T>()});
  });
}

std::string conv_description() {
  if (path() == Path::onednn) return "oneDNN";
  if (path() == Path::reference) return "by definition";
  const std::string name(
      std::find_if(std::begin(paths), std::end(paths), [](const auto& p) { return p.second == path(); })->first);
  return fmt::format("{} kernels, {}", name, kernels().name);
}

}  // namespace sagcl::ops::cpu
