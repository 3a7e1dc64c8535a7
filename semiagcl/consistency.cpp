#include "semiagcl/consistency.h"

#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/reduce.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/training/supervised_loss.h"

namespace sagcl::semiagcl {

Tensor sharpened(const Tensor& q) { return ops::shares(ops::square(Variable(q)).value()); }

Variable consistency_loss(const Variable& student_logits, const Tensor& q, Consistency form, double least) {
  engine::require(student_logits.shape() == q.shape(), "consistency_loss: student {} and teacher {} differ",
                  student_logits.shape(), q.shape());
  switch (form) {
    // Departs from the paper: "the cross entropy loss between the outputs" does not say which is the target, or whether it
    // is soft. The teacher is the target; the other forms are ours, because soft CE keeps the teacher's softness.
    case Consistency::soft_ce: return ops::soft_cross_entropy(student_logits, q);
    case Consistency::sharpened_ce: return ops::soft_cross_entropy(student_logits, sharpened(q));
    case Consistency::ce_argmax: return ops::cross_entropy(student_logits, ops::most_likely(q, least));
    case Consistency::dice_ce_argmax: return supervised_loss(student_logits, ops::most_likely(q, least));
    case Consistency::mse: break;
  }
  return ops::mean(ops::square(ops::subtract(ops::softmax(student_logits), Variable(q))));
}

}  // namespace sagcl::semiagcl
