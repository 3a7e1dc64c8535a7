#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "semiagcl/config.h"
#include "semiagcl/patches.h"

namespace sagcl::semiagcl {

// Section III-A: patch-wise class-centric sampling.

/// Positions of the n largest scores, largest first; of equal scores the lower position first.
std::vector<std::int64_t> top_n(std::span<const double> score, std::int64_t n);

/// n of Top-n for a batch: at most `share` of its patches, at least one.
std::int64_t capped_top_n(std::int64_t n, std::int64_t patches, double share);

/// The score the method ranks patches by: Eq. 1's entropy, the mean confidence, or the cosine (Table V).
/// image [N,D,H,W,C] as the network reads it (its robust unit range is taken here), class map [N,D,H,W,K] -> [N,P,K].
Tensor sampling_score(const Tensor& image, const Tensor& class_map, const Method& m);

/// Top-n patches of every class over the whole batch: score and confidence [N,P,K] -> for each class patch numbers
/// n·P + p, best first. Only patches with confidence >= m.min_confidence count, so a class may have none. The
/// negatives of a class are the patches chosen for the other classes.
std::vector<std::vector<std::int64_t>> class_centric_patches(const Tensor& score, const Tensor& confidence, const Method& m);

/// The same as one list of (patch, class), class after class: the rows of the embedding batch.
std::vector<Pick> picks_of(const std::vector<std::vector<std::int64_t>>& by_class);

}  // namespace sagcl::semiagcl
