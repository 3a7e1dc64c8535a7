#include "semiagcl/training/averaged_network.h"

#include "layers/weights.h"
#include "ops/softmax.h"
#include "semiagcl/training/checkpoint.h"

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
  if (begun_) layers::store(*network_, checkpoint::teacher, content);
}

void AveragedNetwork::load(const engine::TensorFile& content, const std::string& source) {
  if (begun_) layers::load(*network_, checkpoint::teacher, content, source);
}

std::vector<Phase> with_warm_up(const RunSettings& settings, AveragedNetwork* teacher, Phase main) {
  Phase warm_up{.name = "warm-up",
                .steps = warm_up_steps(settings.train.steps, settings.method),
                .must_predict_every_class = true,
                .decays = false,
                .objective = supervised_objective};
  main.steps = settings.train.steps - warm_up.steps;
  if (teacher) {
    const bool from_the_start = settings.method.average_warm_up && warm_up.steps > 0;
    Phase& first = from_the_start ? warm_up : main;
    first.begin = [teacher](layers::Segmenter& student) { teacher->begin(student); };
    if (from_the_start) {
      warm_up.after_update = [teacher](const StepUpdate& update) { teacher->follow(update, Buffers::averaged); };
      warm_up.moving = main.moving;
    }
  }
  return {std::move(warm_up), std::move(main)};
}

}  // namespace sagcl::semiagcl
