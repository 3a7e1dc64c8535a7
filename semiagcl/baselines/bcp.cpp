#include "semiagcl/baselines/bcp.h"

#include "semiagcl/copy_paste.h"

namespace sagcl::semiagcl {

std::vector<Phase> BidirectionalCopyPaste::phases() {
  Phase self_training{.name = "bcp",
                      .unlabelled = true,
                      .masks = true,
                      .objective = [this](StepInput& in) { return both_directions(in); },
                      .begin = [this](layers::Segmenter& student) { teacher_.begin(student); }};
  // As its code: on images the whole state is averaged, on volumes the parameters.
  const Buffers buffers = teacher_.network().flat() ? Buffers::averaged : Buffers::own;
  self_training.after_update = [this, buffers](const StepUpdate& update) { teacher_.follow(update, buffers); };
  return with_warm_up(settings_, nullptr, std::move(self_training), {.name = "pre-training", .paste = true});
}

std::vector<Term> BidirectionalCopyPaste::both_directions(StepInput& in) {
  // Departs from the paper: its code halves the batch, one half for each direction, draws one box for the whole step, leaves
  // the intensities as they are, and keeps the largest component of each class alone (mix.largest_component).
  const BothWays both(in.batch.mask);
  const std::int64_t n = in.batch.labelled;
  engine::Generator random = in.random.fork(0);
  const Tensor seen = teacher_.predict(samples(in.batch.weak, n, n), random).probabilities;
  const Variable logits = in.forward(both.mix(in.batch.strong)).logits;
  return {{"sup", both.labelled_loss(logits, in.batch.label)},
          {"pseudo", both.unlabelled_loss(logits, pseudo_labels(seen, settings_.mix.largest_component)),
           settings_.mix.unlabelled_weight}};
}

}  // namespace sagcl::semiagcl
