#include "semiagcl/baselines/mean_teacher.h"

#include "ops/layout.h"
#include "semiagcl/consistency.h"

namespace sagcl::semiagcl {

// Departs from the paper: weight and decay are Semi-AGCL's, method.w_reg and method.ema_decay. The code of UA-MT, whose term
// this is there, has 0.1 and 0.99.
std::vector<Phase> MeanTeacher::phases() {
  const auto terms = [this](StepInput& in) -> std::vector<Term> {
    const Variable logits = in.forward(in.batch.strong).logits;
    const std::int64_t first = in.batch.labelled, count = logits.shape()[0] - first;
    const Variable reg = consistency(in, ops::slice(logits, 0, first, count));
    return {supervised_term(in, logits), {"reg", reg, settings_.method.w_reg, in.ramp}};
  };
  return with_warm_up(settings_, &teacher_,
                      {.name = settings_.train.method,
                       .unlabelled = true,
                       .objective = terms,
                       .after_update = [this](const StepUpdate& update) { teacher_.follow(update); }});
}

Variable MeanTeacher::consistency(StepInput& in, const Variable& logits) {
  engine::Generator random = in.random.fork(0);
  const Tensor target = teacher_.predict(samples(in.batch.weak, in.batch.labelled, logits.shape()[0]), random).probabilities;
  return consistency_loss(logits, target, Consistency::mse);
}

}  // namespace sagcl::semiagcl
