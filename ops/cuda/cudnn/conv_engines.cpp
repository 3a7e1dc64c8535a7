#include "ops/cuda/cudnn/conv_engines.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <unordered_map>

#include "engine/devices/device_registry.h"
#include "ops/cuda/conv/conv.h"
#include "ops/cuda/conv/conv_weight.h"
#include "ops/cuda/cudnn/plan_file.h"
#include "ops/cuda/cudnn/tf32_split.cuh"
#include "ops/cuda/runtime/scratch.h"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {
namespace {

using engine::Precision;

/// How a convolution is done: by a plan of cuDNN, by our weight gradient, or, with neither, by definition.
struct Choice {
  ConvPlan plan;
  bool own = false;
  bool split = false;  ///< f32 by three products in TF32: plan and weight gradient are those of stacked(request)
};
constexpr const char *own_name = "own", *split_name = "3xTF32 ";

/// cuDNN, the plans made so far, and what earlier runs learned.
struct Plans {
  cudnnHandle_t handle = nullptr;
  PlanFile file;
  std::unordered_map<std::string, Choice> ready;

  static Plans& get() {
    static Plans& plans = *new Plans;  // never destroyed: at the end of the program the driver may be gone first
    return plans;
  }
  Plans() : file(default_plan_path(machine()), machine()) {
    check(cudnnCreate(&handle), "cudnnCreate");
    check(cudnnSetStream(handle, stream()), "cudnnSetStream");
  }
  /// What choices depend on: the GPU, cuDNN, how much memory engines may take, and how they are named here.
  static std::string machine() {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, device().index), "cudaGetDeviceProperties");
    return fmt::format("{} cudnn {} workspace {} names 2", properties.name, cudnnGetVersion(), workspace_limit() >> 20);
  }
};

/// The request in TF32 whose sum has three times as many terms (tf32_split.cuh).
PlanRequest stacked(PlanRequest r) {
  r.precision = Precision::tf32;
  (r.pass == Pass::forward ? r.geometry.C : r.pass == Pass::data ? r.geometry.O : r.geometry.N) *= 3;
  return r;
}

void execute_plain(const Plans& plans, const Choice& choice, const PlanRequest& request, const Operands& o) {
  if (choice.own)
    return own_weight_gradient(request.geometry, static_cast<const float*>(o.x), static_cast<const float*>(o.y),
                               static_cast<float*>(o.w));
  const Scratch<char> workspace(choice.plan.workspace);
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

/// Values of x, w, y.
struct Sizes {
  std::int64_t x, w, y;
  explicit Sizes(const ConvGeometry& g)
      : x(g.N * g.in.volume() * g.C), w(g.O * g.kernel.volume() * g.C), y(g.N * g.out.volume() * g.O) {}
};

void execute(const Plans& plans, const Choice& choice, const PlanRequest& request, const Operands& o) {
  if (!choice.split) return execute_plain(plans, choice, request, o);
  const ConvGeometry& g = request.geometry;
  const Sizes n(g);
  std::deque<Scratch<float>> memory;
  const auto split = [&](void* x, std::int64_t size, std::int64_t columns, Parts parts) -> void* {
    memory.emplace_back(3 * size);
    split_tf32(static_cast<const float*>(x), size, columns, parts, memory.back().data());
    return memory.back().data();
  };
  Operands s = o;
  if (request.pass == Pass::forward)
    s.x = split(o.x, n.x, g.C, Parts::hi_hi_lo), s.w = split(o.w, n.w, g.C, Parts::hi_lo_hi);
  if (request.pass == Pass::data) s.y = split(o.y, n.y, g.O, Parts::hi_hi_lo), s.w = split(o.w, n.w, n.w, Parts::hi_lo_hi);
  if (request.pass == Pass::weight) s.x = split(o.x, n.x, n.x, Parts::hi_hi_lo), s.y = split(o.y, n.y, n.y, Parts::hi_lo_hi);
  execute_plain(plans, choice, stacked(request), s);
}

/// Milliseconds of f(), the least of three after one to warm up. What is far from the shortest so far is not run again.
/// The first time may include the loading of a kernel, some milliseconds.
template <class F>
Timing time_call(F f, float shortest) {
  engine::require<engine::UsageError>(!recording(),
                                      "conv: this shape first occurs in work that is being recorded, where engines cannot "
                                      "be timed: train.replay = false runs it directly");
  try {
    const Event begin, end;
    const auto time = [&](int calls) {
      delay();  // the GPU begins when all calls are queued, so that it is measured and not the host
      check(cudaEventRecord(begin.e, stream()), "cudaEventRecord");
      for (int i = 0; i < calls; ++i) f();
      check(cudaEventRecord(end.e, stream()), "cudaEventRecord");
      wait_for_event(end.e, "conv");
      float ms = 0;
      check(cudaEventElapsedTime(&ms, begin.e, end.e), "cudaEventElapsedTime");
      return ms / float(calls);
    };
    Timing took{Timing::ran, time(1)};
    if (took.ms > 3 * shortest + 20) return took;
    took.ms = time(1);
    const int calls = took.ms < 0.1f ? 8 : 1;  // events are not finer than half a microsecond
    for (int repeat = 0; repeat < 2 && took.ms <= 1.5f * shortest; ++repeat) took.ms = std::min(took.ms, time(calls));
    return took;
  } catch (const engine::OutOfMemory&) { return {Timing::no_room}; } catch (const engine::BackendError&) {
    wait_for_work("conv");  // a fault of the GPU stays and is told; a shape that is refused is not
    return {Timing::refused};
  }
}

bool own_serves(const PlanRequest& r) {
  return r.pass == Pass::weight && r.precision == Precision::tf32 && own_weight_gradient_serves(r.geometry);
}

/// Ours first where it serves, then cuDNN's plans, `most` of each of its lists; with `only`, the one of that name.
std::vector<Choice> plain_candidates(const Plans& plans, const PlanRequest& request, const std::string& only,
                                     int most = 32) {
  std::vector<Choice> found;
  if (own_serves(request) && (only.empty() || only == own_name)) {
    found.push_back({.plan = {}, .own = true});
    found.front().plan.engine = own_name;
    if (!only.empty()) return found;
  }
  const PlanLimits limits{.per_list = most, .workspace = workspace_limit()};
  for (ConvPlan& plan : conv_plans(request, {plans.handle, nullptr}, limits, only))
    found.push_back({.plan = std::move(plan)});
  return found;
}

/// Those, and for fp32 the same of three products in TF32, if the copies are not too large.
std::vector<Choice> candidates(const Plans& plans, const PlanRequest& request, const std::string& only = "") {
  const bool only_split = only.starts_with(split_name);
  std::vector<Choice> found;
  if (!only_split) found = plain_candidates(plans, request, only);
  const Sizes n(request.geometry);
  const std::int64_t copies = request.pass == Pass::forward ? n.x + n.w : request.pass == Pass::data ? n.y + n.w : n.x + n.y;
  if (request.precision != Precision::fp32 || 12 * copies > workspace_limit() || (!only.empty() && !only_split))
    return found;
  for (Choice& choice : plain_candidates(plans, stacked(request), only_split ? only.substr(std::strlen(split_name)) : "")) {
    choice.split = true;
    choice.plan.engine = split_name + choice.plan.engine;
    found.push_back(std::move(choice));
  }
  return found;
}

/// What the request writes, and how many values.
std::pair<float*, std::int64_t> result_of(const PlanRequest& request, const Operands& o) {
  const Sizes n(request.geometry);
  if (request.pass == Pass::forward) return {static_cast<float*>(o.y), n.y};
  if (request.pass == Pass::data) return {static_cast<float*>(o.x), n.x};
  return {static_cast<float*>(o.w), n.w};
}

/// Are three products in TF32 as exact as fp32 here? They are, if they are no farther from what an fp32 engine has just
/// written than that is from f64 at most on the shapes of both networks (docs/gpu-results.md).
class Exactness {
 public:
  Exactness(const PlanRequest& request, const Operands& o)
      : result_(result_of(request, o)), limit_(request.pass == Pass::weight ? 1.8e-5 : 1.3e-6), expected_(result_.second) {
    engine::runtime(device()).copy_within(expected_.data(), result_.first, std::size_t(result_.second) * sizeof(float));
  }
  bool holds() const { return relative_difference(result_.first, expected_.data(), result_.second) <= limit_; }

 private:
  std::pair<float*, std::int64_t> result_;
  double limit_;
  Scratch<float> expected_;
};

/// What is done where nobody serves a request.
const char* instead(const PlanRequest& r) {
  return r.precision == Precision::bf16 ? "it is widened and done in TF32" : "the slow reference kernel is used";
}

Choice choose(Plans& plans, const PlanRequest& request, const Operands& o, const std::string& key) {
  if (const std::string known = plans.file.find(key); !known.empty())
    if (const std::vector<Choice> found = candidates(plans, request, known); !found.empty()) return found.front();
  const bool timed = plans.file.is_kept();
  const std::vector<Choice> found =
      timed ? candidates(plans, request) : plain_candidates(plans, request, own_serves(request) ? own_name : "", 1);
  if (found.empty()) {
    fmt::print(stderr, "sagcl: cuDNN has no engine for {}; {}\n", key, instead(request));
    return {};
  }
  if (!timed) return found.front();
  std::vector<std::string> engines;
  for (const Choice& choice : found) engines.push_back(choice.plan.engine);
  std::optional<Exactness> exactness;  // from the first fp32 engine that runs
  const auto time = [&](std::size_t i, float shortest) -> Timing {
    const bool split = found[i].split;
    if (split && !exactness) return {Timing::refused};
    const Timing took = time_call([&] { execute(plans, found[i], request, o); }, shortest);
    try {
      if (split) return took.outcome == Timing::ran && exactness->holds() ? took : Timing{Timing::refused};
      if (took.outcome == Timing::ran && !exactness && found.back().split) exactness.emplace(request, o);
    } catch (const engine::OutOfMemory&) {  // no room to compare: then fp32 engines alone
      if (split) return {Timing::refused};
    }
    return took;
  };
  std::string settled;
  try {
    settled = plans.file.settle(key, engines, time);
  } catch (const engine::BackendError& e) {
    if (request.precision != Precision::bf16) throw;
    fmt::print(stderr, "sagcl: {}; {}\n", e.what(), instead(request));
    return {};
  }
  return *std::find_if(found.begin(), found.end(), [&](const Choice& choice) { return choice.plan.engine == settled; });
}

}  // namespace

std::int64_t workspace_limit() {
  static const char* set = std::getenv("SAGCL_CONV_WORKSPACE");
  static const std::int64_t limit = (set ? std::max(1L, std::atol(set)) : 1024L) << 20;
  return limit;
}

bool run(const PlanRequest& request, const Operands& o) {
  Plans& plans = Plans::get();
  const std::string key = request.key();
  auto found = plans.ready.find(key);
  if (found == plans.ready.end()) found = plans.ready.emplace(key, choose(plans, request, o, key)).first;
  if (!found->second.own && !found->second.plan.plan) return false;
  execute(plans, found->second, request, o);
  return true;
}

}  // namespace sagcl::ops::cuda
