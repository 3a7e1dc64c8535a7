#include "semiagcl/training/averaged_network.h"

#include "engine/show.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {

namespace {

/// Its weights are overwritten by begin().
std::unique_ptr<layers::Segmenter> make(const RunSettings& s, const layers::SegmenterSpec& spec, engine::Device device) {
  engine::Generator random(s.train.seed, "teacher");
  auto network = layers::make_segmenter(s.network.name, spec, random);
  layers::move_to(*network, device);
  return network;
}

}  // namespace

AveragedNetwork::AveragedNetwork(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
    : dropout_(settings.method.teacher_dropout), network_(make(settings, spec, device)) {}

void AveragedNetwork::begin(layers::Segmenter& student) {
  layers::copy_weights(student, *network_);
  begun_ = true;
}

AveragedNetwork::Output AveragedNetwork::predict(const Tensor& weak, engine::Generator& random, layers::Stages* stages) {
  const autograd::NoGrad no_grad;
  const autograd::Scope scope("teacher");
  const layers::Pass pass{.training = true, .dropout = dropout_, .random = &random, .stages = stages};
  const layers::Segmentation out = network_->forward(Variable(weak), pass);
  const Output seen{ops::softmax(out.logits).value(), out.bottleneck.value()};
  engine::show("teacher.image", weak);
  engine::show("teacher.probabilities", seen.probabilities);
  return seen;
}

Tensor AveragedNetwork::sample(const Tensor& weak, engine::Generator& random, layers::Stages* stages) {
  const autograd::NoGrad no_grad;
  const autograd::Scope scope("teacher");
  const layers::Pass pass{.training = true, .update_statistics = false, .random = &random, .stages = stages};
  return ops::softmax(network_->forward(Variable(weak), pass).logits).value();
}

void AveragedNetwork::follow(const StepUpdate& update, Buffers buffers) {
  update_teacher(*network_, update.student, update.alpha, update.gate, buffers);
}

}  // namespace sagcl::semiagcl
