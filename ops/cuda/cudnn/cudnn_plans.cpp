#include "ops/cuda/cudnn/cudnn_plans.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

#include "engine/error.h"

namespace sagcl::ops::cuda {
namespace {

using engine::Precision;
using Sizes = std::vector<std::int64_t>;

/// An image is a volume of depth one: cuDNN's 2D engines are faster for it.
bool is_flat(const ConvGeometry& g) {
  return g.in[0] == 1 && g.kernel[0] == 1 && g.out[0] == 1 && g.padding[0] == 0 && g.stride[0] == 1;
}

Sizes spatial(const Extents& e, bool flat) { return flat ? Sizes{e[1], e[2]} : Sizes{e[0], e[1], e[2]}; }

/// A channels-last tensor; cuDNN names the axes N, C, D, H, W in any layout and takes the layout from the strides.
SharedDescriptor tensor(std::int64_t id, std::int64_t N, std::int64_t C, const Sizes& volume, cudnnDataType_t type,
                        bool is_virtual = false) {
  Sizes sizes{N, C}, strides(2 + volume.size());
  sizes.insert(sizes.end(), volume.begin(), volume.end());
  std::int64_t stride = C;
  for (std::size_t a = sizes.size(); a-- > 2;) strides[a] = stride, stride *= sizes[a];
  strides[1] = 1;
  strides[0] = stride;
  auto d = std::make_shared<Descriptor>(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d->set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
  d->set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type);
  d->set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, std::int64_t(16));
  d->set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, sizes);
  d->set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides);
  if (is_virtual) d->set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true);
  d->finalize();
  return d;
}

SharedDescriptor convolution(const ConvGeometry& g, bool flat) {
  auto d = std::make_shared<Descriptor>(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const Sizes padding = spatial(g.padding, flat);
  d->set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  d->set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
  d->set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, std::int64_t(padding.size()));
  d->set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, padding);
  d->set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, padding);
  d->set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, spatial(g.stride, flat));
  d->set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, Sizes(padding.size(), 1));
  d->finalize();
  return d;
}

/// The attributes of the three passes have different names for the same things.
struct Attributes {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};

Attributes attributes(Pass pass) {
  if (pass == Pass::forward)
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
  if (pass == Pass::data)
    return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

/// Every descriptor a plan was made from; they live as long as the plan.
struct Graph {
  std::vector<SharedDescriptor> parts;
  SharedDescriptor graph;
  const Descriptor& keep(SharedDescriptor d) { return *parts.emplace_back(std::move(d)); }
};

Graph describe(const PlanRequest& r, const Target& target) {
  const ConvGeometry& g = r.geometry;
  const bool flat = is_flat(g);
  const cudnnDataType_t type = r.precision == Precision::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  const Attributes a = attributes(r.pass);
  Graph out;
  const Descriptor& x = out.keep(tensor(id_x, g.N, g.C, spatial(g.in, flat), type));
  const Descriptor& w = out.keep(tensor(id_w, g.O, g.C, spatial(g.kernel, flat), type));
  const Descriptor& y = out.keep(tensor(id_y, g.N, g.O, spatial(g.out, flat), type));
  const Descriptor& product =
      r.bias ? out.keep(tensor(id_product, g.N, g.O, spatial(g.out, flat), CUDNN_DATA_FLOAT, true)) : y;
  auto conv = std::make_shared<Descriptor>(a.operation);
  conv->set(a.x, x).set(a.w, w).set(a.y, product).set(a.convolution, out.keep(convolution(g, flat)));
  conv->set(a.alpha, CUDNN_TYPE_FLOAT, 1.0f).set(a.beta, CUDNN_TYPE_FLOAT, 0.0f);
  conv->finalize();
  std::vector<cudnnBackendDescriptor_t> operations{out.keep(conv).get()};
  if (r.bias) {
    const Descriptor& b = out.keep(tensor(id_b, 1, g.O, Sizes(flat ? 2 : 3, 1), type));
    auto add = std::make_shared<Descriptor>(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    add->set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, CUDNN_POINTWISE_ADD);
    add->set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT).finalize();
    auto operation = std::make_shared<Descriptor>(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    operation->set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, out.keep(add))
        .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, product);
    operation->set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b).set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y).finalize();
    operations.push_back(out.keep(operation).get());
  }
  out.graph = std::make_shared<Descriptor>(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  out.graph->set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations);
  if (target.handle) out.graph->set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  out.graph->finalize();
  return out;
}

/// Up to n descriptors of a kind that are an attribute of another.
std::vector<SharedDescriptor> descriptors_of(const Descriptor& owner, cudnnBackendAttributeName_t name,
                                             cudnnBackendDescriptorType_t kind, std::int64_t n) {
  std::vector<SharedDescriptor> found;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::int64_t i = 0; i < n; ++i) raw.push_back(found.emplace_back(std::make_shared<Descriptor>(kind))->get());
  if (n > 0) found.resize(std::size_t(std::min(n, owner.get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, raw.data()))));
  return found;
}

/// The engines that one of cuDNN's heuristics proposes, best first.
std::vector<SharedDescriptor> proposals(const Graph& graph, const Target& target, cudnnBackendHeurMode_t mode) {
  Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, *graph.graph);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  if (target.properties) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties);
  // A graph that no engine serves is reported as an error here or below: it is an answer, not a fault.
  std::int64_t n = 0;
  if (cudnnBackendFinalize(heuristic.get()) != CUDNN_STATUS_SUCCESS) return {};
  if (cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &n,
                               nullptr) != CUDNN_STATUS_SUCCESS)
    return {};
  return descriptors_of(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, n);
}

/// What cuDNN says of an engine.
struct EngineNotes {
  std::int64_t number = -1;
  std::vector<cudnnBackendNumericalNote_t> numerical;
  std::vector<cudnnBackendBehaviorNote_t> behaviour;
  bool has(cudnnBackendNumericalNote_t note) const {
    return std::find(numerical.begin(), numerical.end(), note) != numerical.end();
  }
  bool has(cudnnBackendBehaviorNote_t note) const {
    return std::find(behaviour.begin(), behaviour.end(), note) != behaviour.end();
  }
};

EngineNotes notes_of(const Descriptor& config) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = engine.get();
  config.get_raw(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  EngineNotes notes;
  engine.get_raw(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &notes.number);
  notes.numerical = engine.values<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                                               CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  notes.behaviour = engine.values<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                                              CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
  return notes;
}

/// "eng17{2=0 13=1} tensor-core": cuDNN's number of the engine, its knobs, what it computes on. The same in every list.
std::string name_of(const Descriptor& config, const EngineNotes& notes) {
  std::vector<std::string> knobs;
  for (const SharedDescriptor& choice : descriptors_of(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                                       CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS)) {
    cudnnBackendKnobType_t knob{};
    std::int64_t value = 0;
    choice->get_raw(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &knob);
    choice->get_raw(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &value);
    knobs.push_back(fmt::format("{}={}", int(knob), value));
  }
  return fmt::format("eng{}{{{}}}{}", notes.number, fmt::join(knobs, " "),
                     notes.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) ? " tensor-core" : "");
}

/// Deterministic always; fp32 means products of all 24 bits, which tensor cores do not form. Engines that would be compiled
/// at run time are left out: they cost seconds each.
bool acceptable(const EngineNotes& notes, Precision precision) {
  if (notes.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) || notes.has(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)) return false;
  if (notes.has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13)) return false;
  if (precision != Precision::fp32) return true;
  return !notes.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) && !notes.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) &&
         !notes.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) && !notes.has(CUDNN_NUMERICAL_NOTE_FFT) &&
         !notes.has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6);
}

}  // namespace

std::string to_string(Pass pass) { return pass == Pass::forward ? "forward" : pass == Pass::data ? "data" : "weight"; }

std::string PlanRequest::key() const {
  const ConvGeometry& g = geometry;
  return fmt::format("{}{} {} N{} C{} O{} in {} kernel {} stride {} padding {}", to_string(pass), bias ? "+bias" : "",
                     engine::to_string(precision), g.N, g.C, g.O, to_string(g.in), to_string(g.kernel), to_string(g.stride),
                     to_string(g.padding));
}

std::vector<ConvPlan> conv_plans(const PlanRequest& request, const Target& target, const PlanLimits& limits,
                                 const std::string& only) {
  engine::require<engine::BackendError>(
      is_flat(request.geometry) || cudnnGetVersion() >= 91500,
      "cuDNN {} computes some 3D convolutions wrongly; 9.15 or later is needed: put a newer one first in "
      "LD_LIBRARY_PATH, or use --device cpu",
      cudnnGetVersion());
  const auto graph = std::make_shared<Graph>(describe(request, target));
  std::vector<ConvPlan> plans;
  std::unordered_set<std::string> seen;
  // A's list leaves engines out that B's and the fallbacks' have: with fp32, those that are fast.
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK, CUDNN_HEUR_MODE_B}) {
    int taken = 0;
    for (const SharedDescriptor& config : proposals(*graph, target, mode)) {
      if (taken == limits.per_list) break;
      const EngineNotes notes = notes_of(*config);
      if (!acceptable(notes, request.precision)) continue;
      const std::string name = name_of(*config, notes);
      if (!seen.insert(name).second || (!only.empty() && name != only)) continue;
      // The plan's owner also keeps what it was made from.
      struct Whole {
        std::shared_ptr<Graph> graph;
        SharedDescriptor config;
        Descriptor plan{CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR};
      };
      auto whole = std::make_shared<Whole>(graph, config);
      whole->plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, *config);
      if (target.handle) whole->plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
      if (target.properties) whole->plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.properties);
      if (cudnnBackendFinalize(whole->plan.get()) != CUDNN_STATUS_SUCCESS) continue;  // proposed, yet not for this shape
      ConvPlan plan{.plan = SharedDescriptor(whole, &whole->plan), .engine = name};
      whole->plan.get_raw(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &plan.workspace);
      if (plan.workspace > limits.workspace) continue;
      plans.push_back(std::move(plan));
      if (++taken, !only.empty()) return plans;
    }
  }
  return plans;
}

}  // namespace sagcl::ops::cuda
