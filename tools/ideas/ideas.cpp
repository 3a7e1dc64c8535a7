#include "tools/ideas/ideas.h"

#include <algorithm>
#include <cstring>

#include "datasets/augment.h"
#include "datasets/store.h"
#include "engine/files/safetensors.h"
#include "layers/weights.h"
#include "ops/softmax.h"
#include "semiagcl/evaluation/inference.h"
#include "semiagcl/settings/network_spec.h"
#include "semiagcl/training/checkpoint.h"
#include "semiagcl/training/trainer.h"
#include "tools/programs/progress.h"
#include "tools/run/config.h"
#include "tools/run/run_data.h"

namespace sagcl::tools {

using autograd::Variable;

namespace {

constexpr const char* held_out = "Normal__GT2012221-2-400-001";

/// Images [D,H,W,C] one behind the other: [N,D,H,W,C].
Tensor stacked(const std::vector<datasets::Sample>& samples) {
  const engine::Shape& s = samples.front().image.shape();
  Tensor all = Tensor::empty({std::int64_t(samples.size()), s[0], s[1], s[2], s[3]});
  auto* to = static_cast<char*>(all.bytes_begin());
  for (const datasets::Sample& sample : samples) {
    std::memcpy(to, sample.image.bytes_begin(), sample.image.bytes());
    to += sample.image.bytes();
  }
  return all;
}

std::unique_ptr<layers::Segmenter> network_of(const semiagcl::RunSettings& s, const engine::TensorFile& content,
                                              const char* prefix) {
  engine::Generator random(0, "overwritten by the weights of the run");
  auto network = layers::make_segmenter(s.network.name, semiagcl::network_spec(s.network, 3, 2), random);
  layers::load(*network, prefix, content, "the training");
  return network;
}

}  // namespace

Subject make_subject(const std::filesystem::path& glands, std::int64_t steps) {
  Subject subject;
  semiagcl::RunSettings& s = subject.settings;
  apply_preset(s, "glands");
  s.data.folder = glands.string(), s.data.labelled = "2", s.data.test = held_out, s.train.steps = steps;
  check(s);

  const RunData data = load_run_data(s, "");
  datasets::Sample tile =
      datasets::load_samples(data.dataset, {held_out}, datasets::normalisation_named(s.data.normalise, s.data.window), true)
          .front();
  tile.image = semiagcl::resized_image(tile.image, s.data);
  subject.truth = semiagcl::resized_label(tile.label, s.data);
  subject.tile = stacked({tile}), subject.training = stacked(data.training.unlabelled);

  semiagcl::Trainer trainer(s, data.training, engine::Device::cpu());
  subject.untrained = network_of(s, trainer.checkpoint(), semiagcl::checkpoint::student);
  Progress progress({.label = "train", .total = steps});
  while (!trainer.finished()) trainer.advance(), progress.update(trainer.reports().back().step);
  progress.finish();

  const engine::TensorFile content = trainer.checkpoint();
  subject.student = network_of(s, content, semiagcl::checkpoint::student);
  subject.teacher = network_of(s, content, semiagcl::checkpoint::teacher);
  engine::Generator random(0, "overwritten by the weights of the run");
  subject.head = std::make_unique<layers::ProjectionHead>(subject.student->bottleneck_channels(), s.method.projection_hidden,
                                                          s.method.projection_dim, random);
  layers::load(*subject.head, std::string(semiagcl::checkpoint::method) + "head/", content, "the training");
  subject.bank = std::make_unique<semiagcl::MemoryBank>(data.training.classes, s.method);
  subject.bank->load(semiagcl::checkpoint::state_of(content, semiagcl::checkpoint::bank));
  return subject;
}

Tensor probabilities(layers::Segmenter& network, const Tensor& images) {
  return ops::softmax(network.forward(Variable(images), {}).logits).value();
}

Tensor noisy(const Tensor& images, double deviation, std::uint64_t draw) {
  const engine::Shape& s = images.shape();
  engine::Generator random(0, "noise of the pictures", draw);
  const datasets::StrongSpec spec{.noise = {deviation, deviation}, .clamp_to_unit = true};
  return datasets::strengthen(images.reshape({s[0] * s[1], s[2], s[3], s[4]}), spec, random).reshape(s);
}

}  // namespace sagcl::tools
