#include "semiagcl/training/averaged_network.h"

#include "layers/weights.h"
#include "ops/layout.h"
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

AveragedNetwork::Output AveragedNetwork::look(const Tensor& weak, engine::Generator& random) {
  const autograd::NoGrad no_grad;
  const layers::Pass pass{.training = true, .dropout = dropout_, .random = &random};
  const layers::Segmentation out = network_->forward(Variable(weak), pass);
  return {ops::softmax(out.logits).value(), out.bottleneck.value()};
}

Tensor AveragedNetwork::sample(const Tensor& weak, engine::Generator& random) {
  const autograd::NoGrad no_grad;
  const layers::Pass pass{.training = true, .update_statistics = false, .random = &random};
  return ops::softmax(network_->forward(Variable(weak), pass).logits).value();
}

void AveragedNetwork::follow(const StepUpdate& update, Buffers buffers) {
  update_teacher(*network_, update.student, update.alpha, update.open, buffers);
}

void AveragedNetwork::store(engine::TensorFile& content) const {
  if (begun_) layers::store(*network_, "teacher/", content);
}

void AveragedNetwork::load(const engine::TensorFile& content, const std::string& source) {
  if (begun_) layers::load(*network_, "teacher/", content, source);
}

Tensor samples(const Tensor& x, std::int64_t begin, std::int64_t count) {
  if (begin == 0 && count == x.shape()[0]) return x;
  return ops::slice(Variable(x), 0, begin, count).value();
}

}  // namespace sagcl::semiagcl
