#include "semiagcl/baselines/mean_teacher.h"

#include "ops/layout.h"
#include "semiagcl/consistency.h"

namespace sagcl::semiagcl {

std::vector<Term> MeanTeacher::terms(StepInput& in) {
  const std::int64_t first = in.batch.labelled, count = in.batch.weak.shape()[0] - first;
  engine::Generator dropout = in.random.fork(0);
  const Tensor target = teacher_.look(samples(in.batch.weak, first, count), dropout).probabilities;
  const Variable logits = ops::slice(in.student.logits, 0, first, count);
  return {{"reg", consistency_loss(logits, target, Consistency::mse), w_reg_, in.ramp}};
}

}  // namespace sagcl::semiagcl
