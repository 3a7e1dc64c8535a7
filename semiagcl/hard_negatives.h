#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/random.h"
#include "semiagcl/config.h"
#include "semiagcl/memory_bank.h"

namespace sagcl::semiagcl {

// Section III-C: hard negatives are mixtures of the stored keys of other classes that lie closest to the anchor. They
// are constants: no gradient flows into them.

/// For each query its `n_closest` keys by dot product, closest first, of equal ones the lower row. queries [B, dim], keys
/// [M, dim] -> B lists of min(n_closest, M) rows.
std::vector<std::vector<std::int64_t>> closest_keys(const Tensor& queries, const Tensor& keys, std::int64_t n_closest);

/// Which of the closest keys may be n_i, a flag for each: those with affinity <= θ; all of them when fewer than two are.
/// `affinity` is that of all keys, by row.
std::vector<std::uint8_t> allowed_by_threshold(const std::vector<std::int64_t>& closest, std::span<const double> affinity,
                                               double theta);

/// The rows (i, j) of one hard negative's two keys.
struct Pair { std::int64_t i, j; };

/// n_hard independent draws for one anchor: i uniformly from the allowed ones, j uniformly from all the closest. `allowed` has
/// a flag per entry of `closest`. UsageError when no flag is set.
std::vector<Pair> draw_pairs(const std::vector<std::int64_t>& closest, const std::vector<std::uint8_t>& allowed,
                             std::int64_t n_hard, engine::Generator& random);

/// Eq. 6: h = (w n_i + (1 − w) n_j) / |…|. n_i and n_j [H, dim], w H values in [0,1] -> [H, dim], rows of length one.
Tensor mix(const Tensor& n_i, const Tensor& n_j, std::span<const double> weight);

/// All of it for the anchors of one class: queries [B, dim] against the keys of the other classes -> [B, n_hard, dim] in the
/// queries' dtype and on their device. The weight w of Eq. 6 is n_i's stored affinity, 1/2, or U(0,1), as m.mixing says.
/// UsageError without any key.
Tensor hard_negatives(const Tensor& queries, const MemoryBank::Keys& others, double theta, const Method& m,
                      engine::Generator& random);

}  // namespace sagcl::semiagcl
