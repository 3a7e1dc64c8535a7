#include "ops/cuda/conv.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <unordered_map>

#include "engine/devices/buffer.h"
#include "engine/devices/precision.h"
#include "ops/cuda/conv_weight.h"
#include "ops/cuda/cudnn/cudnn_plans.hpp"
#include "ops/cuda/cudnn/plan_file.h"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {
namespace {

using engine::Buffer;
using engine::Precision;

/// The operands of one convolution, whatever the pass writes.
struct Operands {
  void *x, *w, *y, *b;
};

/// How a convolution is done: by a plan of cuDNN, by our weight gradient, or, with neither, by definition.
struct Choice {
  ConvPlan plan;
  bool own = false;
};
constexpr const char* own_name = "own";

/// cuDNN, the plans made so far, and what earlier runs learned.
struct Plans {
  cudnnHandle_t handle = nullptr;
  PlanFile file;
  std::unordered_map<std::string, Choice> ready;
  std::unordered_map<std::string, bool> in_bf16;  // does the copy to bf16 pay?

  static Plans& get() {
    static Plans& plans = *new Plans;  // never destroyed: at the end of the program the driver may be gone first
    return plans;
  }
  Plans() : file(default_plan_path(machine()), machine()) {
    check(cudnnCreate(&handle), "cudnnCreate");
    check(cudnnSetStream(handle, stream()), "cudnnSetStream");
  }
  /// What choices depend on: the GPU, cuDNN, and how much memory engines may take.
  static std::string machine() {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, device().index), "cudaGetDeviceProperties");
    return fmt::format("{} cudnn {} workspace {}", properties.name, cudnnGetVersion(), workspace_limit() >> 20);
  }
};

void execute(const Plans& plans, const Choice& choice, const PlanRequest& request, const Operands& o) {
  if (choice.own)
    return own_weight_gradient(request.geometry, static_cast<const float*>(o.x), static_cast<const float*>(o.y),
                               static_cast<float*>(o.w));
  const Buffer workspace(device(), std::size_t(std::max<std::int64_t>(choice.plan.workspace, 16)));
  std::vector<std::int64_t> ids{id_x, id_w, id_y};
  std::vector<void*> pointers{o.x, o.w, o.y};
  if (request.bias) ids.push_back(id_b), pointers.push_back(o.b);
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers);
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace.data());
  pack.finalize();
  check(cudnnBackendExecute(plans.handle, choice.plan.plan->get(), pack.get()), choice.plan.engine.c_str());
}

struct Event {
  cudaEvent_t e = nullptr;
  Event() { check(cudaEventCreate(&e), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(e); }
};

/// Milliseconds of f(), the least of three after one to warm up. What is far from the shortest so far is not run again.
template <class F>
Timing time_call(F f, float shortest) {
  engine::require<engine::UsageError>(!recording(),
                                      "conv: this shape first occurs in work that is being recorded, where engines cannot "
                                      "be timed: train.replay = false runs it directly");
  try {
    const Event begin, end;
    f();
    int calls = 1;
    Timing took{Timing::ran, std::numeric_limits<float>::infinity()};
    for (int repeat = 0; repeat < 3 && (repeat == 0 || took.ms <= 1.5f * shortest); ++repeat) {
      delay();  // the GPU begins when all calls are queued, so that it is measured and not the host
      check(cudaEventRecord(begin.e, stream()), "cudaEventRecord");
      for (int i = 0; i < calls; ++i) f();
      check(cudaEventRecord(end.e, stream()), "cudaEventRecord");
      wait_for_event(end.e, "conv");
      float ms = 0;
      check(cudaEventElapsedTime(&ms, begin.e, end.e), "cudaEventElapsedTime");
      took.ms = std::min(took.ms, ms / float(calls));
      if (ms < 0.1f) calls = 8;  // events are not finer than half a microsecond
    }
    return took;
  } catch (const engine::OutOfMemory&) { return {Timing::no_room}; } catch (const engine::BackendError&) {
    wait_for_work("conv");  // a fault of the GPU stays and is told; a shape that is refused is not
    return {Timing::refused};
  }
}

bool own_serves(const PlanRequest& r) {
  return r.pass == Pass::weight && r.precision == Precision::tf32 && own_weight_gradient_serves(r.geometry);
}

/// Ours first where it serves, then cuDNN's plans; with `only`, the one of that name.
std::vector<Choice> candidates(const Plans& plans, const PlanRequest& request, const std::string& only = "") {
  std::vector<Choice> found;
  if (own_serves(request) && (only.empty() || only == own_name)) {
    found.push_back({.plan = {}, .own = true});
    found.front().plan.engine = own_name;
    if (!only.empty()) return found;
  }
  const PlanLimits limits{.per_list = 32, .workspace = workspace_limit()};
  for (ConvPlan& plan : conv_plans(request, {plans.handle, nullptr}, limits, only))
    found.push_back({.plan = std::move(plan)});
  return found;
}

Choice choose(Plans& plans, const PlanRequest& request, const Operands& o, const std::string& key) {
  if (const std::string known = plans.file.find(key); !known.empty())
    if (const std::vector<Choice> found = candidates(plans, request, known); !found.empty()) return found.front();
  const std::vector<Choice> found = candidates(plans, request);
  if (found.empty()) {
    fmt::print(stderr, "sagcl: cuDNN has no engine for {}; the slow reference kernel is used\n", key);
    return {};
  }
  if (!plans.file.is_kept()) return found.front();
  std::vector<std::string> engines;
  for (const Choice& choice : found) engines.push_back(choice.plan.engine);
  const std::string settled = plans.file.settle(key, engines, [&](std::size_t i, float shortest) {
    return time_call([&] { execute(plans, found[i], request, o); }, shortest);
  });
  for (const Choice& choice : found)
    if (choice.plan.engine == settled) return choice;
  engine::fail<engine::BackendError>("conv: another process chose {} for {}, which does not run here", settled, key);
}

/// Runs the request; false where there is no fast way.
bool run(const PlanRequest& request, const Operands& o) {
  Plans& plans = Plans::get();
  const std::string key = request.key();
  auto found = plans.ready.find(key);
  if (found == plans.ready.end()) found = plans.ready.emplace(key, choose(plans, request, o, key)).first;
  if (!found->second.own && !found->second.plan.plan) return false;
  execute(plans, found->second, request, o);
  return true;
}

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
  Plans& plans = Plans::get();
  if (!plans.file.is_kept()) return narrow(request);
  const std::string key = "copies " + request.key();
  auto found = plans.in_bf16.find(key);
  if (found == plans.in_bf16.end()) {
    std::string known = plans.file.find(key);
    if (known.empty())
      known = plans.file.settle(key, {"tf32", "bf16"}, [&](std::size_t i, float shortest) {
        return time_call([&] { i == 1 ? narrow(request) : wide(finer); }, shortest);
      });
    found = plans.in_bf16.emplace(key, known == "bf16").first;
  }
  return found->second ? narrow(request) : wide(finer);
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

std::int64_t workspace_limit() {
  static const char* set = std::getenv("SAGCL_CONV_WORKSPACE");
  static const std::int64_t limit = (set ? std::max(1L, std::atol(set)) : 1024L) << 20;
  return limit;
}

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
