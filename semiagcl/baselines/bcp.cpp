#include "semiagcl/baselines/bcp.h"

#include "ops/selection.h"
#include "semiagcl/copy_paste.h"
#include "semiagcl/training/supervised_loss.h"
#include "semiagcl/training/training_batches.h"

namespace sagcl::semiagcl {

BidirectionalCopyPaste::BidirectionalCopyPaste(const RunSettings& settings, const layers::SegmenterSpec& spec,
                                               engine::Device device)
    : TeacherMethod(settings, spec, device) {
  const datasets::BatchSpec all = batch_spec(settings, true), labelled = batch_spec(settings, false);
  const std::int64_t twice = 2 * settings.train.shards;
  engine::require<engine::UsageError>(
      all.labelled == all.unlabelled && all.labelled % twice == 0 && labelled.labelled % twice == 0,
      "train.batch = {} in {} shards: bcp mixes one half of the labelled images with one half of the "
      "unlabelled ones, so choose a multiple of {}",
      settings.train.batch, settings.train.shards, 2 * twice);
}

std::vector<Phase> BidirectionalCopyPaste::phases() {
  const std::int64_t steps = settings_.train.steps, first = warm_up_steps(steps, settings_.method);
  Phase pre_training{.name = "pre-training",
                     .steps = first,
                     .box = settings_.mix.box,
                     .must_predict_every_class = true,
                     .decays = false,
                     .objective = [this](StepInput& in) { return labelled_pairs(in); }};
  Phase self_training{.name = "bcp",
                      .steps = steps - first,
                      .unlabelled = true,
                      .box = settings_.mix.box,
                      .objective = [this](StepInput& in) { return both_directions(in); },
                      .begin = [this](layers::Segmenter& student) { teacher_.begin(student); },
                      .moving = {&teacher_.network()}};
  // As its code: on images the whole state is averaged, on volumes the parameters.
  const Buffers buffers = teacher_.network().flat() ? Buffers::averaged : Buffers::own;
  self_training.after_update = [this, buffers](const StepUpdate& update) { teacher_.follow(update, buffers); };
  return {std::move(pre_training), std::move(self_training)};
}

std::vector<Term> BidirectionalCopyPaste::labelled_pairs(StepInput& in) const {
  const std::int64_t half = in.batch.labelled / 2;
  const auto mixed = [&](const Tensor& x) {
    return ops::choose(in.batch.mask, samples(x, 0, half), samples(x, half, half));
  };
  return {{"sup", supervised_loss(in.look(mixed(in.batch.weak)).logits, mixed(in.batch.label))}};
}

std::vector<Term> BidirectionalCopyPaste::both_directions(StepInput& in) {
  const std::int64_t labelled = in.batch.labelled, half = labelled / 2;
  const Tensor &mask = in.batch.mask, unlabelled = samples(in.batch.weak, labelled, labelled);
  engine::Generator dropout = in.random.fork(0);
  const Tensor pseudo = pseudo_labels(teacher_.look(unlabelled, dropout).probabilities, settings_.mix.largest_component);
  const auto a = [&](const Tensor& x) { return samples(x, 0, half); };
  const auto b = [&](const Tensor& x) { return samples(x, half, half); };
  const double w = settings_.mix.unlabelled_weight;
  // An unlabelled box in a labelled image, and a labelled box in an unlabelled one.
  const Variable out = in.look(ops::choose(mask, a(in.batch.weak), a(unlabelled))).logits;
  const Variable in_box = in.look(ops::choose(mask, b(unlabelled), samples(in.batch.weak, half, half))).logits;
  return {{"out", mixed_loss(out, ops::choose(mask, a(in.batch.label), a(pseudo)), mask, 1, w)},
          {"in", mixed_loss(in_box, ops::choose(mask, b(pseudo), b(in.batch.label)), mask, w, 1)}};
}

}  // namespace sagcl::semiagcl
