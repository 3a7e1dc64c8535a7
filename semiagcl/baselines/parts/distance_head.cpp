#include "semiagcl/baselines/parts/distance_head.h"

#include <utility>

#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "semiagcl/training/warm_up.h"

namespace sagcl::semiagcl {
namespace {

constexpr double distance_weight = 0.3;  // beta of the released train_gan_sdfloss.py (SASSNet) and train_la_dtc.py (DTC)

/// Departs from the paper: one channel for each class but the background, where the released networks know one class.
/// Reconstruction for images: the 3x3 kernel of the U-Net's own head; in volumes both heads are 1x1x1, as released.
layers::ConvLayer make_conv(const RunSettings& s, const layers::SegmenterSpec& spec) {
  engine::Generator random(s.train.seed, "distance head");
  layers::ConvLayer::Spec conv{.in = spec.width, .out = spec.classes - 1, .kernel = {{1, 1, 1}}};
  if (layers::flat(s.network.name)) conv.kernel = {{1, 3, 3}}, conv.padding = {{0, 1, 1}};
  return {conv, random};
}

}  // namespace

DistanceHead::DistanceHead(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
    : conv_(make_conv(settings, spec)) {
  layers::move_to(*this, device);
}

DistanceHead::Output DistanceHead::forward(StepInput& in) const {
  layers::Stages stages;
  const Variable logits = in.forward(in.batch.strong, &stages).logits;
  return {logits, ops::tanh(conv_.forward(stages.features))};
}

void DistanceHead::describe(layers::Parts& parts) { parts.child("conv", conv_); }

Variable distance_loss(const Variable& distances, const Tensor& truth) {
  const Variable labelled = ops::slice(distances, 0, 0, truth.shape()[0]);
  return ops::mean(ops::square(ops::subtract(labelled, Variable(truth))));
}

std::vector<Term> supervised_terms(const StepInput& in, const DistanceHead::Output& seen) {
  // Departs from the paper: L_sup is ½ (cross-entropy + Dice) of a softmax as everywhere here; theirs is the Dice term
  // alone, of one sigmoid channel.
  return {supervised_term(in, seen.logits), {"sdf", distance_loss(seen.distances, in.batch.distance), distance_weight}};
}

std::vector<Phase> with_distances(const RunSettings& settings, DistanceHead& head, Phase main) {
  // Departs from the paper: the supervised start that all methods share; theirs have no phase without unlabelled images.
  Phase warm_up{.distances = true, .trained = {{"distance", &head}}};
  warm_up.objective = [&head](StepInput& in) { return supervised_terms(in, head.forward(in)); };
  main.distances = true;
  return with_warm_up(settings, nullptr, std::move(main), std::move(warm_up));
}

}  // namespace sagcl::semiagcl
