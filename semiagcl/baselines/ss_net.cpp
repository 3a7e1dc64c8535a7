#include "semiagcl/baselines/ss_net.h"

#include <utility>

#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/parts/virtual_adversary.h"
#include "semiagcl/training/warm_up.h"

namespace sagcl::semiagcl {
namespace {

/// Of the released code: on LA, and on ACDC.
struct Weights {
  double smoothness, eps;
};
constexpr Weights in_volumes{1, 10}, in_images{0.1, 6};
constexpr double separation = 0.1;  // beside smoothness

std::unique_ptr<SeparationHeads> make_heads(const RunSettings& s, const layers::SegmenterSpec& spec, engine::Device device) {
  engine::Generator random(s.train.seed, "separation heads");
  auto heads = std::make_unique<SeparationHeads>(spec.width, spec.classes, random);
  layers::move_to(*heads, device);
  return heads;
}

}  // namespace

SsNet::SsNet(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
    : settings_(settings), heads_(make_heads(settings, spec, device)) {}

std::vector<Phase> SsNet::phases() {
  Phase main{.name = "ss-net", .unlabelled = true, .objective = [this](StepInput& in) { return terms(in); }};
  main.trained = {{"separation", heads_.get()}};
  return with_warm_up(settings_, nullptr, std::move(main));
}

std::vector<Term> SsNet::terms(StepInput& in) {
  // Departs from the paper: L_sup is that of all methods, there Dice alone, and the weights rise over method.ramp_share.
  const Tensor& images = in.batch.strong;
  layers::Stages stages;
  const Variable logits = in.forward(images, &stages).logits;
  const Variable of_voxels = std::exchange(stages, {}).features;
  const Weights& weights = in.student.flat() ? in_images : in_volumes;
  // Departs from the paper: the answer to the clean image is the one that L_sup judges; there one more forward gives it.
  const Tensor answer = ops::softmax(logits.detach()).value();
  const Variable smooth = virtual_adversarial_loss(in.student, images, answer, weights.eps, in.random.fork(0));

  // One row for each voxel, the labelled ones first.
  const std::int64_t n = images.shape()[0], rows = in.batch.label.size(), all = rows / in.batch.labelled * n;
  const Variable features = ops::reshape(of_voxels, {all, of_voxels.shape().back()});
  const Tensor seen = ops::most_likely(answer).reshape({all}), truth = in.batch.label.reshape({rows});
  const Variable labelled = ops::slice(features, 0, 0, rows), unlabelled = ops::slice(features, 0, rows, all - rows);
  // Departs from the paper: the memory is that of this step's labelled images; there a class keeps its features until a
  // later step brings others, so a class that no labelled image of the step shows is separated, too.
  const ClassMemory memory = heads_->remember(labelled.value(), truth, samples(seen, 0, rows));
  const Variable separated =
      ops::add(heads_->loss(labelled, truth, memory), heads_->loss(unlabelled, samples(seen, rows, all - rows), memory));
  return {supervised_term(in, logits),
          {"smooth", smooth, weights.smoothness, in.ramp},
          {"separate", separated, separation * weights.smoothness, in.ramp}};
}

}  // namespace sagcl::semiagcl
