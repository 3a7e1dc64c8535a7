#include "semiagcl/hard_negatives.h"

#include <algorithm>

#include "engine/show.h"
#include "ops/matmul.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::require;

Closest closest_keys(const Tensor& anchors, const MemoryBank& bank, std::int64_t n_closest) {
  const KeyRing& ring = bank.ring();
  const std::int64_t K = ring.keys.shape()[0], dim = ring.keys.shape()[2], slots = ring.affinity.size();
  require(anchors.shape().rank() == 2 && anchors.shape()[0] % K == 0 && anchors.shape()[1] == dim,
          "closest_keys: anchors {} must be [{} n, {}]", anchors.shape(), K, dim);
  const Tensor similarity =
      ops::matmul(Variable(anchors), Variable(ring.keys.reshape({slots, dim})), {.transpose_b = true}).value();
  const auto places = [&](const engine::Shape& shape) { return Tensor::empty(shape, engine::Dtype::i32, anchors.device()); };
  const std::int64_t B = anchors.shape()[0];
  Closest closest{places({B, std::min(n_closest, slots)}), places({B}), places({B})};
  // Departs from the paper: it does not say what happens when fewer than two keys lie at or below θ; then all the closest
  // may be drawn.
  paper_backend(anchors.device()).closest_keys(ring, bank.theta(), similarity, closest);
  return closest;
}

Tensor mixtures(const KeyRing& ring, const Closest& closest, const Method& m, engine::Generator& random) {
  require<engine::UsageError>(m.mixing != Mixing::none, "hard_negatives: mixing is none, so there is no L_RW to draw for");
  // Departs from the paper: A_ii belongs to a patch of this batch and n_i to the bank, so each key keeps the affinity its
  // own patch had when it was stored.
  const MixWeight weight = m.mixing == Mixing::affinity     ? MixWeight::affinity
                           : m.mixing == Mixing::one_to_one ? MixWeight::half
                                                            : MixWeight::random;
  Tensor h =
      Tensor::empty({closest.slots.shape()[0], m.n_hard, ring.keys.shape()[2]}, ring.keys.dtype(), ring.keys.device());
  paper_backend(h.device()).mixtures(weight, random.next_key(), ring, closest, h);
  return h;
}

Tensor hard_negatives(const Tensor& anchors, const MemoryBank& bank, const Method& m, engine::Generator& random) {
  const Closest closest = closest_keys(anchors, bank, m.n_closest);
  const Tensor h = mixtures(bank.ring(), closest, m, random);
  engine::show("closest", closest.slots), engine::show("allowed", closest.allowed);
  engine::show("bank.affinity", bank.ring().affinity), engine::show("theta", bank.theta()), engine::show("H", h);
  return h;
}

}  // namespace sagcl::semiagcl
