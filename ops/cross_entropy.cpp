#include "ops/cross_entropy.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/labels.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;

Variable cross_entropy(const Variable& z, const Tensor& labels) {
  const engine::OperationName name("cross_entropy");
  checks::labels("cross_entropy", z, labels);
  Tensor loss = Tensor::empty({}, z.value().dtype(), z.value().device()),
         count = Tensor::empty({1}, loss.dtype(), loss.device());
  backend(loss.device()).cross_entropy(z.value(), labels, loss, count);

  return record("cross_entropy", {z}, loss, [saved = z.saved(), labels, count](Tensor dloss) -> Gradients {
    const Tensor scores = saved.get();
    Tensor dz = Tensor::empty_like(scores);
    backend(dz.device()).cross_entropy_backward(scores, labels, count, dloss, dz);
    return {dz};
  });
}

Variable soft_cross_entropy(const Variable& z, const Tensor& q) {
  const engine::OperationName name("soft_cross_entropy");
  checks::defined("soft_cross_entropy", "z", z);
  checks::floating("soft_cross_entropy", z.value());
  checks::same_shape("soft_cross_entropy", "z", z.value(), "q", q);
  checks::same_kind("soft_cross_entropy", "z", z.value(), "q", q);
  engine::require(z.shape().rank() >= 1 && q.size() > 0,
                  "soft_cross_entropy: z must be [.., C] with at least one voxel, got {}", z.shape());
  Tensor loss = Tensor::empty({}, q.dtype(), q.device());
  backend(loss.device()).soft_cross_entropy(z.value(), q, loss);

  return record("soft_cross_entropy", {z}, loss, [saved = z.saved(), q](Tensor dloss) -> Gradients {
    const Tensor scores = saved.get();
    Tensor dz = Tensor::empty_like(scores);
    backend(dz.device()).soft_cross_entropy_backward(scores, q, dloss, dz);
    return {dz};
  });
}

}  // namespace sagcl::ops
