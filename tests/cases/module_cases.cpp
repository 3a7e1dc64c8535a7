#include "layers/conv_unit.h"
#include "layers/norm_layer.h"
#include "layers/projection_head.h"
#include "layers/segmenter.h"
#include "tests/cases/op_cases.h"

// Layers and networks as functions of their input and of all their parameters.
namespace sagcl::tests {
namespace {

using namespace layers;
using Inputs = std::vector<Variable>;

/// A module of f64 whose parameters are the inputs behind x, in training; dropout is the same in every call. A normal draw
/// for all: what they are does not matter.
template <class M>
OpCase module_case(const std::string& name, const Shape& x, std::function<std::shared_ptr<M>()> make,
                   std::function<Variable(M&, const Variable&, const Pass&)> forward) {
  OpCase one{.name = name, .inputs = {{x}}, .f = {}, .gradient_tolerance = 1e-6, .gradient_step = 1e-6};
  const std::shared_ptr<M> described = make();
  for (const auto& [part, p] : parameters_in_order(*described)) {
    const bool scale = part.ends_with("gamma");
    one.inputs.push_back({p->shape(), normal(scale ? 0.2 : 0.5, scale ? 1 : 0)});
  }
  one.f = [make, forward](const Inputs& v) {
    const std::shared_ptr<M> module = make();
    convert_to(*module, v[0].value().dtype());
    move_to(*module, v[0].value().device());
    std::size_t next = 1;
    for (const auto& [part, p] : parameters_in_order(*module)) *p = v[next++];
    engine::Generator dropout(7, "dropout");
    return forward(*module, v[0], {.training = true, .random = &dropout});
  };
  return one;
}

}  // namespace

const std::vector<OpCase>& module_cases() {
  static const std::vector<OpCase> all = [] {
    std::vector<OpCase> cases;
    cases.push_back(module_case<BatchNorm>(
        "batch_norm", {2, 1, 3, 4, 3}, [] { return std::make_shared<BatchNorm>(3); },
        [](BatchNorm& m, const Variable& x, const Pass& pass) { return m.forward(x, pass); }));
    cases.push_back(module_case<ConvUnit>(
        "conv_unit", {2, 1, 4, 5, 2},
        [] {
          engine::Generator random(1, "conv_unit");
          return std::make_shared<ConvUnit>(ConvLayer::Spec{.in = 2, .out = 3, .kernel = {{1, 3, 3}}}, 0.01, random);
        },
        [](ConvUnit& m, const Variable& x, const Pass& pass) { return m.forward(x, pass); }));
    cases.push_back(module_case<ProjectionHead>(
        "projection_head", {4, 5},
        [] {
          engine::Generator random(1, "head");
          return std::make_shared<ProjectionHead>(5, 6, 3, random);
        },
        [](ProjectionHead& m, const Variable& x, const Pass& pass) { return m.forward(x, pass); }));
    for (const char* network : {"unet", "vnet"}) {
      const bool images = layers::flat(network);
      cases.push_back(module_case<Segmenter>(
          network, images ? Shape{2, 1, 32, 32, 1} : Shape{2, 16, 16, 16, 1},
          [network] {
            engine::Generator random(1, network);
            return std::shared_ptr<Segmenter>(make_segmenter(network, {.width = 2}, random));
          },
          [](Segmenter& m, const Variable& x, const Pass& pass) { return m.forward(x, pass).logits; }));
    }
    return cases;
  }();
  return all;
}

}  // namespace sagcl::tests
