#include "semiagcl/training/supervised_loss.h"

#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/dice.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {

Variable supervised_loss(const Variable& logits, const Tensor& labels) {
  const Variable ce = ops::cross_entropy(logits, labels);
  const Variable dice = ops::dice_loss(ops::softmax(logits), labels, {.first_channel = logits.shape().back() == 2 ? 1 : 0});
  return ops::scale(ops::add(ce, dice), 0.5);
}

}  // namespace sagcl::semiagcl
