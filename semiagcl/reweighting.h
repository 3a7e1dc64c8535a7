#pragma once
#include "autograd/tape.h"
#include "engine/random.h"
#include "semiagcl/memory_bank.h"

namespace sagcl::semiagcl {

using autograd::Variable;

/// Eq. 7 over a batch of embedded patches: each anchor's positives are the teacher's keys of all patches that count for its
/// class (its own other view among them), its negatives are hard negatives drawn from the other classes' banks, and with
/// m.append_queue these banks too.
///
/// q [K n, dim] student embeddings and keys [K n, dim] teacher embeddings of the picks, unit rows. Returns the mean over the
/// anchors whose class has at least m.min_negatives keys in the other banks, a scalar; 0 with gradient 0 while there is none
/// (the first steps). The bank is only read.
Variable reweighted_loss(const Variable& q, const Tensor& keys, const Picks& picks, const MemoryBank& bank, const Method& m,
                         engine::Generator& random);

/// Embedding::roi: features of picks [K,n] from the bottleneck of whole images, weighted by the class map.
///   v = Σ_cells w f / Σ_cells w,  w(cell) = Σ of C^k over the image voxels that lie in both the patch and the cell
/// bottleneck [N,d,h,w,F], class map [N,D,H,W,K] (constant) -> [K n, F]; 0 where the class has no weight at all.
/// Errors as check_picks.
Variable roi_features(const Variable& bottleneck, const Tensor& class_map, const Extents& grid, const Tensor& picks);

}  // namespace sagcl::semiagcl
