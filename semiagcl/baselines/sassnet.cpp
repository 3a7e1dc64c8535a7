#include "semiagcl/baselines/sassnet.h"

#include <utility>

#include "ops/layout.h"

namespace sagcl::semiagcl {
namespace {

constexpr double adversarial_weight = 0.01;  // as released for 16 labelled volumes; 0.015 for 8
constexpr TrainedModule::OwnAdam discriminators{.learning_rate = 1e-4, .spec = {.beta1 = 0.9, .beta2 = 0.99}};

/// As released at width 16; of a narrower network it is narrower, too.
ShapeDiscriminator make_discriminator(const RunSettings& s, const layers::SegmenterSpec& spec) {
  engine::Generator random(s.train.seed, "discriminator");
  return {{.distances = spec.classes - 1,
           .image = spec.in_channels,
           .width = 4 * spec.width,
           .flat = layers::flat(s.network.name)},
          random};
}

}  // namespace

ShapeAwareNetwork::ShapeAwareNetwork(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
    : settings_(settings), head_(settings, spec, device), discriminator_(make_discriminator(settings, spec)) {
  layers::move_to(discriminator_, device);
}

std::vector<Phase> ShapeAwareNetwork::phases() {
  Phase main{.name = settings_.train.method, .unlabelled = true, .objective = [this](StepInput& in) { return terms(in); }};
  main.trained = {{"discriminator", &discriminator_, discriminators}};
  return with_distances(settings_, head_, std::move(main));
}

std::vector<Term> ShapeAwareNetwork::terms(StepInput& in) {
  const DistanceHead::Output seen = head_.forward(in);
  const std::int64_t labelled = in.batch.labelled, unlabelled = in.batch.strong.shape()[0] - labelled;
  std::vector<Term> all = supervised_terms(in, seen);
  {
    const layers::Frozen frozen(discriminator_);  // the student should make it see labelled images, and teaches it nothing
    const Variable judged = discriminator_.forward(ops::slice(seen.distances, 0, labelled, unlabelled),
                                                   Variable(samples(in.batch.strong, labelled, unlabelled)), {});
    // Departs from the paper: the ramp-up takes method.ramp_share of the steps; theirs is over the first 6,000.
    all.push_back({"adv", judgement_loss(judged, unlabelled), adversarial_weight, in.ramp});
  }
  // Departs from the paper: the discriminator learns in the student's own step, from the maps that the student was judged
  // by, so that a step is one backward; theirs takes a step of its own after it, on maps of the updated student in
  // evaluation mode.
  engine::Generator dropout = in.random.fork(0);
  const Variable judged =
      discriminator_.forward(seen.distances.detach(), Variable(in.batch.strong), {.training = true, .random = &dropout});
  all.push_back({"dis", judgement_loss(judged, labelled)});
  return all;
}

}  // namespace sagcl::semiagcl
