#include "semiagcl/baselines/bcp.h"

#include "ops/selection.h"
#include "semiagcl/copy_paste.h"

namespace sagcl::semiagcl {

std::vector<Phase> BidirectionalCopyPaste::phases() {
  const std::int64_t steps = settings_.train.steps, first = warm_up_steps(steps, settings_.method);
  Phase pre_training{.name = "pre-training",
                     .steps = first,
                     .paste = true,
                     .must_predict_every_class = true,
                     .decays = false,
                     .ramps = false,
                     .objective = supervised_objective};
  Phase self_training{.name = "bcp",
                      .steps = steps - first,
                      .unlabelled = true,
                      .masks = true,
                      .objective = [this](StepInput& in) { return both_directions(in); },
                      .begin = [this](layers::Segmenter& student) { teacher_.begin(student); }};
  // As its code: on images the whole state is averaged, on volumes the parameters.
  const Buffers buffers = teacher_.network().flat() ? Buffers::averaged : Buffers::own;
  self_training.after_update = [this, buffers](const StepUpdate& update) { teacher_.follow(update, buffers); };
  return {std::move(pre_training), std::move(self_training)};
}

/// Every labelled image meets one unlabelled image, in both directions.
std::vector<Term> BidirectionalCopyPaste::both_directions(StepInput& in) {
  // Departs from the paper: its code halves the batch, one half for each direction, draws one box for the whole step and
  // leaves the intensities as they are.
  const std::int64_t n = in.batch.labelled;
  const Tensor &mask = in.batch.mask, &truth = in.batch.label;
  const Tensor labelled = samples(in.batch.strong, 0, n), unlabelled = samples(in.batch.strong, n, n);
  engine::Generator random = in.random.fork(0);
  const Tensor seen = teacher_.predict(samples(in.batch.weak, n, n), random).probabilities;
  const Tensor pseudo = pseudo_labels(seen, settings_.mix.largest_component);
  const double w = settings_.mix.unlabelled_weight;
  const Variable out = in.forward(ops::choose(mask, labelled, unlabelled)).logits;  // an unlabelled box in a labelled image
  const Variable in_box = in.forward(ops::choose(mask, unlabelled, labelled)).logits;  // and the other way round
  return {{"out", mixed_loss(out, ops::choose(mask, truth, pseudo), mask, 1, w)},
          {"in", mixed_loss(in_box, ops::choose(mask, pseudo, truth), mask, w, 1)}};
}

}  // namespace sagcl::semiagcl
