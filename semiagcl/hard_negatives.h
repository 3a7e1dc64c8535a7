#pragma once
#include "engine/random.h"
#include "semiagcl/kernels/backend.h"
#include "semiagcl/memory_bank.h"

namespace sagcl::semiagcl {

// Section III-C: hard negatives are mixtures of the stored keys of other classes that lie closest to the anchor. They
// are constants: no gradient flows into them.

/// The n_closest stored keys of other classes with the largest dot product with each of B = K n anchors [B, dim], class
/// after class. Those that may be n_i come first: keys with affinity <= θ, or all where fewer than two are.
Closest closest_keys(const Tensor& anchors, const MemoryBank& bank, std::int64_t n_closest);

/// Eq. 6: m.n_hard mixtures h = (w n_i + (1 − w) n_j) / |…| for each anchor, [B, n_hard, dim]; n_i is drawn from the keys
/// that may be it, n_j from all the closest. w is n_i's stored affinity, 1/2, or U(0,1), as m.mixing says. 0 without any
/// key. UsageError where m.mixing is none.
Tensor mixtures(const KeyRing& ring, const Closest& closest, const Method& m, engine::Generator& random);

/// Both for the anchors of all classes: H of Eq. 7, [B, n_hard, dim].
Tensor hard_negatives(const Tensor& anchors, const MemoryBank& bank, const Method& m, engine::Generator& random);

}  // namespace sagcl::semiagcl
