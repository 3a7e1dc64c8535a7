#include "tools/export/network_graph.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "layers/weights.h"
#include "ops/conv.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/resize.h"

namespace sagcl::tools {
namespace {

using engine::Extents;
using engine::Tensor;
using Step = autograd::Observer::Step;
using Integers = std::vector<std::int64_t>;

/// Writes a node for every operation of a forward pass.
class GraphWriter final : public autograd::Observer {
 public:
  GraphWriter(layers::Segmenter& network, OnnxModel& model) : model_(model), flat_(network.flat()) {
    for (const auto& [name, p] : layers::parameters_of(network)) weights_[p->value().bytes_begin()] = name;
    for (const auto& [name, b] : layers::buffers_of(network)) weights_[b->bytes_begin()] = name;
  }

  void call(const Tensor& value, const std::string& name) { values_[value.bytes_begin()] = {name, value}; }

  const std::string& name_of(const Tensor& value) const {
    const auto found = values_.find(value.bytes_begin());
    engine::require<engine::UsageError>(found != values_.end(),
                                        "an operation takes a value of shape {} that no operation made", value.shape());
    return found->second.name;
  }

  void after_forward(const Step& step, const Tensor& y) override {
    const std::string op = step.op;
    if (op == "conv") convolution(step, y, "Conv");
    else if (op == "conv_transposed") convolution(step, y, "ConvTranspose");
    else if (op == "batch_norm") norm(step, y);
    else if (op == "max_pool") pool(step, y);
    else if (op == "resize") resize(step, y);
    else if (op == "concat") concat(step, y);
    else if (op == "add") make(y, named(step), "Add", {name_of(step.inputs[0]), name_of(step.inputs[1])});
    else unknown(step);
  }

 private:
  /// A value, and its memory: while it is held no other value gets it.
  struct Value {
    std::string name;
    Tensor held;
  };

  [[noreturn]] static void unknown(const Step& step) {
    engine::fail<engine::UsageError>(
        "the operation {} has no form in ONNX here (in the network's part '{}'); export safetensors", step.op, step.scope);
  }

  template <class Spec>
  static const Spec& spec_of(const Step& step) {
    const Spec* spec = step.spec.as<Spec>();
    if (!spec) unknown(step);
    return *spec;
  }

  /// Extents of depth, height and width as ONNX lists them: of an image without depth.
  Integers spatial(const Extents& e) const { return flat_ ? Integers{e[1], e[2]} : Integers{e[0], e[1], e[2]}; }

  /// A weight of the network under its own name.
  std::string weight(const Tensor& value) {
    const std::string& name = weights_.at(value.bytes_begin());
    if (names_.insert(name).second) model_.weight(name, layers::in_pytorch_order(value, flat_));
    return name;
  }

  /// A name that is not taken: of the layer whose weight is given, or of place and operation.
  std::string named(const Step& step, const Tensor& part = {}) {
    std::string name = step.scope.empty() ? step.op : step.scope + "." + step.op;
    if (part.defined()) name = weights_.at(part.bytes_begin()), name.resize(name.rfind('.'));
    std::string free = name;
    for (int n = 2; !names_.insert(free).second; ++n) free = fmt::format("{}.{}", name, n);
    return free;
  }

  void make(const Tensor& y, const std::string& name, const char* operation, const std::vector<std::string>& inputs,
            const std::vector<OnnxModel::Attribute>& attributes = {}) {
    model_.node(name, operation, inputs, attributes);
    call(y, name);
  }

  void convolution(const Step& step, const Tensor& y, const char* operation) {
    const auto& spec = spec_of<ops::ConvSpec>(step);
    const engine::Shape& w = step.inputs[1].shape();
    Integers pads = spatial(spec.padding);
    pads.insert(pads.end(), pads.begin(), pads.end());  // before, and as many behind
    make(y, named(step, step.inputs[1]), operation,
         {name_of(step.inputs[0]), weight(step.inputs[1]), weight(step.inputs[2])},
         {{"kernel_shape", spatial({{w[1], w[2], w[3]}})}, {"strides", spatial(spec.stride)}, {"pads", pads}});
  }

  void norm(const Step& step, const Tensor& y) {
    const auto& spec = spec_of<ops::NormSpec>(step);
    const std::string name = named(step, step.inputs[1]);
    std::vector<std::string> inputs = {name_of(step.inputs[0])};
    for (std::size_t i = 1; i < step.inputs.size(); ++i) inputs.push_back(weight(step.inputs[i]));
    make(y, name, "BatchNormalization", inputs, {{"epsilon", spec.eps}});
    if (spec.slope == 0) make(y, name + ".relu", "Relu", {name});
    else if (spec.slope != 1) make(y, name + ".relu", "LeakyRelu", {name}, {{"alpha", spec.slope}});
  }

  void pool(const Step& step, const Tensor& y) {
    const auto& spec = spec_of<ops::PoolSpec>(step);
    make(y, named(step), "MaxPool", {name_of(step.inputs[0])},
         {{"kernel_shape", spatial(spec.window)}, {"strides", spatial(spec.stride)}});
  }

  void resize(const Step& step, const Tensor& y) {
    const auto& spec = spec_of<ops::ResizeSpec>(step);
    if (spec.interpolation != ops::Interpolation::linear) unknown(step);
    const std::string name = named(step), factors = name + ".scales";
    std::vector<float> scales = {1, 1};  // of images and channels
    for (int a = flat_ ? 2 : 1; a < 4; ++a) scales.push_back(float(y.shape()[a]) / float(step.inputs[0].shape()[a]));
    model_.weight(factors, Tensor::of({std::int64_t(scales.size())}, scales));
    make(y, name, "Resize", {name_of(step.inputs[0]), "", factors},
         {{"mode", "linear"}, {"coordinate_transformation_mode", spec.align_corners ? "align_corners" : "half_pixel"}});
  }

  void concat(const Step& step, const Tensor& y) {
    if (spec_of<int>(step) != y.shape().rank() - 1) unknown(step);  // channels alone
    std::vector<std::string> inputs;
    for (const Tensor& part : step.inputs) inputs.push_back(name_of(part));
    make(y, named(step), "Concat", inputs, {{"axis", std::int64_t(1)}});
  }

  OnnxModel& model_;
  bool flat_;
  std::map<const void*, std::string> weights_;  ///< by where they lie
  std::map<const void*, Value> values_;
  std::set<std::string> names_;
};

}  // namespace

OnnxModel onnx_model(TrainedNetwork& trained) {
  layers::Segmenter& network = *trained.network;
  const engine::Extents stride = network.stride();
  const Tensor image = Tensor::zeros({1, stride[0], stride[1], stride[2], trained.channels});
  const auto extents = [&](std::int64_t channels) {
    std::vector<OnnxModel::Extent> all = {"batch", channels, "depth", "height", "width"};
    if (network.flat()) all.erase(all.begin() + 2);
    return all;
  };
  OnnxModel model;
  model.input("image", extents(trained.channels));
  GraphWriter writer(network, model);
  writer.call(image, "image");
  const layers::Frozen constants(network);  // so that the tape keeps nothing
  const autograd::Tape tape({.observer = &writer});
  const Tensor logits = network.forward(autograd::Variable(image), {}).logits.value();
  model.node("probabilities", "Softmax", {writer.name_of(logits)}, {{"axis", std::int64_t(1)}});
  model.output("probabilities", extents(std::int64_t(trained.classes.size())));
  return model;
}

}  // namespace sagcl::tools
