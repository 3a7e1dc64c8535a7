#pragma once
#include <vector>

#include "semiagcl/baselines/parts/distance_head.h"
#include "semiagcl/training/training_method.h"

namespace sagcl::semiagcl {

/// Dual-task consistency (Luo et al., AAAI 2021): a second head regresses signed distance maps, and on all images what it
/// says inside of a class is should be what the network's own head gives to the class.
class DualTaskConsistency final : public TrainingMethod {
 public:
  DualTaskConsistency(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
      : settings_(settings), head_(settings, spec, device) {}

  std::vector<Phase> phases() override;
  NamedModules modules() override { return {{"distance_head", &head_}}; }

 private:
  const RunSettings& settings_;
  DistanceHead head_;
};

/// The mean over voxels and foreground classes k of (T(s_k) - softmax(z)_k)², with T(s) = sigmoid(-1500 s) a smooth step
/// from signed distances to the inside of a class. logits z [N,D,H,W,K], distances s [N,D,H,W,K-1]; both get gradients.
Variable dual_task_loss(const Variable& logits, const Variable& distances);

}  // namespace sagcl::semiagcl
