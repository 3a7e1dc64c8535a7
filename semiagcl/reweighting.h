#pragma once
#include <vector>

#include "autograd/tape.h"
#include "engine/random.h"
#include "semiagcl/config.h"
#include "semiagcl/memory_bank.h"
#include "semiagcl/patches.h"

namespace sagcl::semiagcl {

using autograd::Variable;

/// Eq. 7 over a batch of embedded patches, class by class: each anchor's positives are the teacher's keys of all patches
/// picked for its class (its own other view among them), its negatives are hard negatives drawn from the other classes'
/// banks, and with m.append_queue these banks too.
///
/// q [R, dim] student embeddings and keys [R, dim] teacher embeddings of the same picks, unit rows; `picks` in class
/// order. Returns the mean over all anchors, a scalar; an undefined Variable when no class has both picks and at least
/// m.min_negatives keys in the other banks (the first steps). The bank is only read. UsageError when the picks of a class are
/// not together.
Variable reweighted_loss(const Variable& q, const Tensor& keys, const std::vector<Pick>& picks, const MemoryBank& bank,
                         const Method& m, engine::Generator& random);

/// Stores the keys [R, dim] with the affinity of their patches (affinity[pick.patch], from the diagonal of Eq. 2's graph)
/// To be called after reweighted_loss, which then never meets keys of its own step; θ is moved by
/// MemoryBank::update_threshold, once per step. UsageError for a pick whose patch has no affinity.
void remember(MemoryBank& bank, const Tensor& keys, const std::vector<Pick>& picks, const std::vector<double>& affinity);

/// Embedding::roi: features of picks from the bottleneck of whole images, weighted by the class map.
///   v = Σ_cells w f / Σ_cells w,  w(cell) = Σ of C^k over the image voxels that lie in both the patch and the cell
/// bottleneck [N,d,h,w,F], class map [N,D,H,W,K] (constant) -> [picks, F]; 0 where the class has no weight at all.
/// UsageError for a patch or class that does not exist.
Variable roi_features(const Variable& bottleneck, const Tensor& class_map, const Extents& grid,
                      const std::vector<Pick>& picks);

}  // namespace sagcl::semiagcl
