#include "semiagcl/baselines/urpc.h"

#include <array>

#include "ops/arithmetic.h"
#include "ops/dropout.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/selection.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {
namespace {

constexpr std::size_t heads = 3;   // beside the student's
constexpr double w_pyramid = 0.1;  // of the consistency, as released
// The disturbances of the released networks.
constexpr double image_dropout = 0.5, noise = 0.3, least_share = 0.7, most_share = 0.9;
constexpr std::array<double, heads> volume_dropout = {0.5, 0.3, 0.2};

Variable disturbed_image_features(std::size_t stage, const Variable& x, engine::Generator& random) {
  const engine::RandomKey key = random.next_key();
  if (stage == 0) return ops::dropout(x, image_dropout, key);
  if (stage == 1) {
    const Tensor one = Tensor::empty({1}, engine::Dtype::f64, x.value().device());
    return feature_dropout(x, ops::uniform_like(one, key, least_share, most_share));
  }
  // Departs from the paper: every image has noise of its own; theirs is the same for the whole batch.
  return ops::multiply(x, Variable(ops::uniform_like(x.value(), key, 1 - noise, 1 + noise)));
}

layers::ConvLayer::Spec head_spec(bool flat, std::int64_t in, std::int64_t classes) {
  if (!flat) return {.in = in, .out = classes, .kernel = {{1, 1, 1}}};
  return {.in = in, .out = classes, .kernel = {{1, 3, 3}}, .padding = {{0, 1, 1}}};
}

PyramidHeads make_heads(const RunSettings& s, const layers::SegmenterSpec& spec) {
  engine::Generator random(s.train.seed, "urpc");
  return {layers::flat(s.network.name), spec, random};
}

}  // namespace

Variable feature_dropout(const Variable& x, const Tensor& share) {
  const engine::Shape& s = x.shape();
  const Tensor attention = ops::mean_axis(x.detach(), -1).value().reshape({s[0], s[1] * s[2] * s[3]});
  const Variable most(ops::quantiles(attention, {1}));
  const Tensor range = ops::concat({ops::scale(most, 0), most}, -1).value();
  return ops::multiply(x, Variable(ops::below(ops::unit_range(attention, range), share, s.back()).reshape(s)));
}

Variable rectified_consistency(const std::vector<Variable>& logits) {
  engine::require<engine::UsageError>(!logits.empty(), "rectified_consistency: no scales");
  const double share = 1 / double(logits.size());
  std::vector<Variable> p;
  Variable sum;
  for (const Variable& z : logits) {
    p.push_back(ops::softmax(z));
    sum = sum.defined() ? ops::add(sum, p.back()) : p.back();
  }
  const Variable average = ops::scale(sum, share);
  const Variable log_average = ops::log(ops::add_scalar(average, 1e-20));  // p log p is 0 at 0
  Variable loss;
  for (std::size_t s = 0; s < logits.size(); ++s) {
    const Variable distance = ops::subtract(log_average, ops::log_softmax(logits[s]));
    const Variable kl = ops::sum_axis(ops::multiply(average, distance), -1);
    const Variable w = ops::exp(ops::scale(kl, -1));
    const Variable squared = ops::mean_axis(ops::square(ops::subtract(average, p[s])), -1);
    const Variable rectified = ops::divide(ops::mean(ops::multiply(w, squared)), ops::add_scalar(ops::mean(w), 1e-8));
    const Variable of_scale = ops::add(rectified, ops::mean(kl));
    loss = loss.defined() ? ops::add(loss, of_scale) : of_scale;
  }
  return ops::scale(loss, share);
}

PyramidHeads::PyramidHeads(bool flat, const layers::SegmenterSpec& spec, engine::Generator& random) : flat_(flat) {
  for (std::size_t stage = 0; stage < heads; ++stage)
    heads_.emplace_back(head_spec(flat, spec.width << (heads - stage), spec.classes), random);
}

std::vector<Variable> PyramidHeads::forward(const std::vector<Variable>& decoder, engine::Generator& random) const {
  const engine::Shape& s = decoder.back().shape();
  const ops::ResizeSpec full{.out = {{s[1], s[2], s[3]}},
                             .interpolation = flat_ ? ops::Interpolation::nearest : ops::Interpolation::linear};
  std::vector<Variable> logits;
  for (std::size_t stage = 0; stage < heads; ++stage) {
    const Variable& x = decoder[stage];
    // Departs from the paper: its network of volumes is a 3D U-Net whose decoder goes on with the channels that are left;
    // here they are dropped for the head alone.
    const Variable seen = flat_ ? disturbed_image_features(stage, x, random)
                                : ops::channel_dropout(x, volume_dropout[stage], random.next_key());
    logits.push_back(ops::resize(heads_[stage].forward(seen), full));
  }
  return logits;
}

void PyramidHeads::describe(layers::Parts& parts) {
  for (std::size_t stage = 0; stage < heads; ++stage) parts.child(fmt::format("stage{}", stage + 1), heads_[stage]);
}

UncertaintyRectifiedPyramid::UncertaintyRectifiedPyramid(const RunSettings& settings, const layers::SegmenterSpec& spec,
                                                         engine::Device device)
    : ExtendedStudent(settings, 1 / double(heads + 1)), heads_(make_heads(settings, spec)) {
  layers::move_to(heads_, device);
}

std::vector<Variable> UncertaintyRectifiedPyramid::outputs(StepInput& in) {
  layers::Stages stages;
  std::vector<Variable> logits{in.forward(in.batch.strong, &stages).logits};
  engine::Generator random = in.random.fork(0);
  for (const Variable& z : heads_.forward(stages.decoder, random)) logits.push_back(z);
  return logits;
}

Term UncertaintyRectifiedPyramid::consistency(const StepInput& in, const std::vector<Variable>& logits) const {
  const std::int64_t first = in.batch.labelled;
  std::vector<Variable> unlabelled;
  for (const Variable& z : logits) unlabelled.push_back(ops::slice(z, 0, first, z.shape()[0] - first));
  return {"pyramid", rectified_consistency(unlabelled), w_pyramid, in.ramp};
}

}  // namespace sagcl::semiagcl
