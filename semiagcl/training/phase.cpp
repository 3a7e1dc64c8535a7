#include "semiagcl/training/phase.h"

#include "engine/show.h"
#include "ops/layout.h"
#include "semiagcl/training/supervised_loss.h"

namespace sagcl::semiagcl {

layers::Segmentation StepInput::forward(const Tensor& images, layers::Stages* stages) {
  engine::show("student.image", images);
  const layers::Segmentation out =
      student.forward(Variable(images), {.training = true, .random = &dropout, .stages = stages});
  engine::show("student.logits", out.logits.value());
  return out;
}

Term supervised_term(const StepInput& in, const Variable& logits) {
  const bool all = logits.shape()[0] == in.batch.labelled;
  return {"sup", supervised_loss(all ? logits : ops::slice(logits, 0, 0, in.batch.labelled), in.batch.label)};
}

std::vector<Term> supervised_objective(StepInput& in) { return {supervised_term(in, in.forward(in.batch.strong).logits)}; }

Tensor samples(const Tensor& x, std::int64_t begin, std::int64_t count) {
  if (begin == 0 && count == x.shape()[0]) return x;
  return ops::slice(Variable(x), 0, begin, count).value();
}

}  // namespace sagcl::semiagcl
