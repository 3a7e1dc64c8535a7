#pragma once
#include "semiagcl/patches.h"
#include "semiagcl/settings/config.h"

namespace sagcl::semiagcl {

// Section III-A: patch-wise class-centric sampling.

/// The Top-n patches of every class, best first. A class has n rows whatever the batch holds: behind its own patches it is
/// filled up with others, whose mean confidence in the class is below m.min_confidence. Those pass through the encoders with
/// the rest, so that batch statistics always come from K·n patches, but are neither anchors nor positives nor stored keys.
struct Picks {
  Tensor patch;    ///< i32 [K, n], patch numbers; row k n + i of an embedding batch is that of patch[k,i]
  Tensor counted;  ///< i32 [K]: how many of the n, from the front, stand for the class
};

/// n of Top-n for a batch: at most `share` of its patches, at least one.
std::int64_t capped_top_n(std::int64_t n, std::int64_t patches, double share);

/// The score the method ranks patches by: Eq. 1's entropy, the mean confidence, or the cosine (Table V).
/// image [N,D,H,W,C] as the network reads it (its robust unit range is taken here), class map [N,D,H,W,K] -> [N,P,K].
Tensor sampling_score(const Tensor& image, const Tensor& class_map, const Method& m);

/// Top-n patches of every class over the whole batch by score and confidence [N,P,K]; of equal scores the lower patch first.
/// The negatives of a class are the patches that count for the other classes.
Picks class_centric_patches(const Tensor& score, const Tensor& confidence, const Method& m);

}  // namespace sagcl::semiagcl
