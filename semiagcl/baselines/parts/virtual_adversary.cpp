#include "semiagcl/baselines/parts/virtual_adversary.h"

#include "ops/arithmetic.h"
#include "ops/dice.h"
#include "ops/gather.h"
#include "ops/layout.h"
#include "ops/selection.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {
namespace {

constexpr double xi = 10;  // of the power step

/// The direction from x in which the network's answer changes most.
Tensor adversarial_direction(layers::Segmenter& network, const Variable& x, const Tensor& target, const Tensor& start,
                             const layers::Pass& pass) {
  const autograd::NoGrad beside;
  const layers::Frozen frozen(network);
  autograd::Tape tape;
  const Variable d = Variable::parameter(start);
  const Variable logits = network.forward(ops::add(x, ops::scale(d, xi)), pass).logits;
  tape.backward(answer_distance(logits, target, network.flat()));
  return unit_samples(d.grad());
}

}  // namespace

Tensor unit_samples(const Tensor& x) {
  const std::int64_t n = x.shape()[0];
  return ops::l2_normalise(ops::reshape(Variable(x), {n, x.size() / n})).value().reshape(x.shape());
}

Variable answer_distance(const Variable& logits, const Tensor& target, bool flat) {
  const Variable p = ops::softmax(logits);
  if (flat) return ops::dice_loss_soft(p, target, {.smooth = 1e-10});
  const engine::Shape joined{target.size(), 1};
  return ops::dice_loss_soft(ops::reshape(p, joined), target.reshape(joined), {.squared = false, .smooth = 1e-8});
}

Variable virtual_adversarial_loss(layers::Segmenter& network, const Tensor& x, const Tensor& target, double eps,
                                  engine::Generator random) {
  const Tensor start = unit_samples(ops::uniform_like(x, random.next_key(), -0.5, 0.5));
  const layers::Pass pass{.training = true, .update_statistics = false, .random = &random};
  const Tensor direction = adversarial_direction(network, Variable(x), target, start, pass);
  const Variable moved = ops::add(Variable(x), ops::scale(Variable(direction), eps));
  return answer_distance(network.forward(moved, pass).logits, target, network.flat());
}

}  // namespace sagcl::semiagcl
