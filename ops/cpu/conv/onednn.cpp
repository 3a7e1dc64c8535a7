#include "ops/cpu/conv/onednn.h"

#include <array>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>

#include "engine/parallel.h"

namespace sagcl::ops::cpu {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Dims = memory::dims;
enum class Pass { forward, data, weight };

dnnl::engine& device() {
  static dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}

Dims dims(const Extents& e) { return {e[0], e[1], e[2]}; }
memory::desc volume(std::int64_t n, std::int64_t channels, const Extents& e, Tag tag) {
  return {Dims{n, channels, e[0], e[1], e[2]}, memory::data_type::f32, tag};
}
memory::desc filter(const ConvGeometry& g, Tag tag) { return volume(g.O, g.C, g.kernel, tag); }

/// A primitive for one geometry and pass, with the weights' layout it asks for.
struct Prepared {
  dnnl::primitive primitive;
  memory::desc weights;
};

/// Descriptors for either interface: oneDNN 2 builds an operation descriptor first, oneDNN 3 takes the engine directly.
template <class Primitive, class... Hint, class... Values>
typename Primitive::primitive_desc describe(std::tuple<Hint...> hint, Values... values) {
  return std::apply(
      [&](auto... h) {
#if DNNL_VERSION_MAJOR >= 3
        return typename Primitive::primitive_desc(device(), values..., h...);
#else
        return typename Primitive::primitive_desc(typename Primitive::desc(values...), device(), h...);
#endif
      },
      hint);
}

Prepared prepare(const ConvGeometry& g, Pass pass, bool bias) {
  const auto x = volume(g.N, g.C, g.in, Tag::ndhwc), y = volume(g.N, g.O, g.out, Tag::ndhwc), w = filter(g, Tag::any);
  const memory::desc b = bias ? memory::desc({g.O}, memory::data_type::f32, Tag::a) : memory::desc();
  Dims after;
  for (int a = 0; a < 3; ++a) after.push_back((g.out[a] - 1) * g.stride[a] + g.kernel[a] - g.in[a] - g.padding[a]);
  const auto direct = dnnl::algorithm::convolution_direct;
  const auto forward = describe<dnnl::convolution_forward>(std::tuple{}, dnnl::prop_kind::forward_training, direct, x, w, b,
                                                           y, dims(g.stride), dims(g.padding), after);
  if (pass == Pass::forward) return {dnnl::convolution_forward(forward), forward.weights_desc()};
  if (pass == Pass::data) {
    const auto d = describe<dnnl::convolution_backward_data>(std::tuple{forward}, direct, x, w, y, dims(g.stride),
                                                             dims(g.padding), after);
    return {dnnl::convolution_backward_data(d), d.weights_desc()};
  }
  const auto d = describe<dnnl::convolution_backward_weights>(std::tuple{forward}, direct, x, w, y, dims(g.stride),
                                                              dims(g.padding), after);
  return {dnnl::convolution_backward_weights(d), d.diff_weights_desc()};
}

const Prepared& prepared(const ConvGeometry& g, Pass pass, bool bias) {
  std::array<std::int64_t, 18> key{g.N, g.C, g.O, int(pass), bias, engine::threads()};
  for (int a = 0; a < 3; ++a)
    key[6 + a] = g.in[a], key[9 + a] = g.kernel[a], key[12 + a] = g.stride[a], key[15 + a] = g.padding[a];
  static std::map<std::array<std::int64_t, 18>, Prepared> cache;
  auto found = cache.find(key);
  if (found == cache.end()) found = cache.emplace(key, prepare(g, pass, bias)).first;
  return found->second;
}

memory wrap(const memory::desc& d, const float* data) { return {d, device(), const_cast<float*>(data)}; }

/// Calls f and turns oneDNN's exception into ours.
template <class F>
void guarded(const ConvGeometry& g, F&& f) {
  try {
    dnnl::stream stream(device());
    f(stream);
    stream.wait();
  } catch (const dnnl::error& e) {
    engine::fail<engine::BackendError>("oneDNN refused a convolution, C {} O {} in {} kernel {} stride {}: {}", g.C, g.O,
                                       to_string(g.in), to_string(g.kernel), to_string(g.stride), e.what());
  }
}

/// The weights in the layout `wanted`, in `room` unless they already have it.
memory weights_as(const ConvGeometry& g, const memory::desc& wanted, const float* w, engine::Tensor& room,
                  dnnl::stream& stream) {
  memory own = wrap(filter(g, Tag::odhwi), w);
  if (own.get_desc() == wanted) return own;
  room = engine::Tensor::empty({std::int64_t(wanted.get_size() / sizeof(float))});
  memory other = wrap(wanted, room.data<float>());
  dnnl::reorder(own, other).execute(stream, own, other);
  return other;
}

}  // namespace

void onednn_forward(const ConvGeometry& g, const float* x, const float* w, const float* b, float* y) {
  guarded(g, [&](dnnl::stream& stream) {
    const Prepared& p = prepared(g, Pass::forward, b != nullptr);
    engine::Tensor room;
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, wrap(volume(g.N, g.C, g.in, Tag::ndhwc), x)},
                                              {DNNL_ARG_WEIGHTS, weights_as(g, p.weights, w, room, stream)},
                                              {DNNL_ARG_DST, wrap(volume(g.N, g.O, g.out, Tag::ndhwc), y)}};
    if (b) arguments.emplace(DNNL_ARG_BIAS, wrap({{g.O}, memory::data_type::f32, Tag::a}, b));
    p.primitive.execute(stream, arguments);
  });
}

void onednn_backward_data(const ConvGeometry& g, const float* w, const float* dy, const float* b, float* dx) {
  guarded(g, [&](dnnl::stream& stream) {
    const Prepared& p = prepared(g, Pass::data, false);
    engine::Tensor room;
    p.primitive.execute(stream, {{DNNL_ARG_DIFF_DST, wrap(volume(g.N, g.O, g.out, Tag::ndhwc), dy)},
                                 {DNNL_ARG_WEIGHTS, weights_as(g, p.weights, w, room, stream)},
                                 {DNNL_ARG_DIFF_SRC, wrap(volume(g.N, g.C, g.in, Tag::ndhwc), dx)}});
  });
  if (b)
    engine::parallel_for(g.N * g.in.volume(), 4096, [&](std::int64_t v) {
      for (std::int64_t c = 0; c < g.C; ++c) dx[v * g.C + c] += b[c];
    });
}

void onednn_backward_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  guarded(g, [&](dnnl::stream& stream) {
    const Prepared& p = prepared(g, Pass::weight, false);
    engine::Tensor room;
    memory own = wrap(filter(g, Tag::odhwi), dw), other = own;
    if (p.weights != own.get_desc()) {
      room = engine::Tensor::empty({std::int64_t(p.weights.get_size() / sizeof(float))});
      other = wrap(p.weights, room.data<float>());
    }
    p.primitive.execute(stream, {{DNNL_ARG_SRC, wrap(volume(g.N, g.C, g.in, Tag::ndhwc), x)},
                                 {DNNL_ARG_DIFF_DST, wrap(volume(g.N, g.O, g.out, Tag::ndhwc), dy)},
                                 {DNNL_ARG_DIFF_WEIGHTS, other}});
    if (room.defined()) dnnl::reorder(other, own).execute(stream, other, own);
  });
}

}  // namespace sagcl::ops::cpu
