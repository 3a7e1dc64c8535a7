#include "semiagcl/baselines/parts/cut_mix.h"

#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

Tensor cut_mix(const Tensor& x, const Tensor& masks) {
  const std::int64_t n = x.shape()[0];
  const Variable all(x);
  const Tensor next = ops::concat({ops::slice(all, 0, 1, n - 1), ops::slice(all, 0, 0, 1)}, 0).value();
  return ops::choose(masks, x, next);
}

Variable confident_cross_entropy(const Variable& logits, const Tensor& q, double least) {
  engine::require(logits.shape() == q.shape(), "confident_cross_entropy: student {} and teacher {} differ", logits.shape(),
                  q.shape());
  const std::int64_t n = q.shape()[0], classes = q.shape().back(), voxels = q.size() / (n * classes);
  const Tensor labels = ops::most_likely(q), certain = ops::one_hot(ops::most_likely(q, least), classes, q.dtype());
  Variable sum;
  for (std::int64_t i = 0; i < n; ++i) {
    const Variable loss = ops::cross_entropy(ops::slice(logits, 0, i, 1), samples(labels, i, 1));
    const Variable share = ops::scale(ops::sum(Variable(samples(certain, i, 1))), 1 / double(voxels));
    const Variable weighted = ops::multiply(loss, share);
    sum = sum.defined() ? ops::add(sum, weighted) : weighted;
  }
  return ops::scale(sum, 1 / double(n));
}

}  // namespace sagcl::semiagcl
