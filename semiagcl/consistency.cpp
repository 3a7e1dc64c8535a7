#include "semiagcl/consistency.h"

#include "engine/parallel.h"
#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "semiagcl/supervised_loss.h"

namespace sagcl::semiagcl {

Tensor sharpened(const Tensor& q) {
  const Tensor host = q.to(engine::Device::cpu());
  Tensor y = Tensor::empty(q.shape(), q.dtype());
  const std::int64_t C = q.shape().back();
  visit_float(q.dtype(), [&]<class T>(engine::Type<T>) {
    engine::parallel_for(q.size() / C, 1 << 14, [&](std::int64_t i) {
      const T* from = host.data<T>() + i * C;
      T* to = y.data<T>() + i * C;
      T sum = 0;
      for (std::int64_t c = 0; c < C; ++c) sum += to[c] = from[c] * from[c];
      for (std::int64_t c = 0; c < C; ++c) to[c] /= sum;
    });
  });
  return y.to(q.device());
}

Variable consistency_loss(const Variable& student_logits, const Tensor& q, Consistency form, double least) {
  engine::require(student_logits.shape() == q.shape(), "consistency_loss: student {} and teacher {} differ",
                  student_logits.shape(), q.shape());
  switch (form) {
    // Departs from the paper: "the cross entropy loss between the outputs" does not say which is the target, or whether it
    // is soft. The teacher is the target; the other forms are ours, because soft CE keeps the teacher's softness.
    case Consistency::soft_ce: return ops::soft_cross_entropy(student_logits, q);
    case Consistency::sharpened_ce: return ops::soft_cross_entropy(student_logits, sharpened(q));
    case Consistency::ce_argmax: return ops::cross_entropy(student_logits, most_likely(q, least));
    case Consistency::dice_ce_argmax: return supervised_loss(student_logits, most_likely(q, least));
    case Consistency::mse: break;
  }
  return ops::mean(ops::square(ops::subtract(ops::softmax(student_logits), Variable(q))));
}

}  // namespace sagcl::semiagcl
