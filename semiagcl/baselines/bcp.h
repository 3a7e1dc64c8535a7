#pragma once
#include "semiagcl/training/averaged_network.h"

namespace sagcl::semiagcl {

/// Bidirectional copy-paste (Bai et al., CVPR 2023): labelled images are pasted into unlabelled ones and the other way
/// round, and the student learns from the truth in one part and from the teacher's labels in the other. Before, it is
/// trained on pairs of labelled images mixed in the same way (over method.warm_up_share of the steps). Both see weak views
/// alone.
class BidirectionalCopyPaste final : public TeacherMethod {
 public:
  /// UsageError unless the labelled and the unlabelled half of every shard can be halved again.
  BidirectionalCopyPaste(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

  std::vector<Phase> phases() override;
  bool waits_for_host() const override { return settings_.mix.largest_component; }

 private:
  std::vector<Term> labelled_pairs(StepInput& in) const;
  std::vector<Term> both_directions(StepInput& in);
};

}  // namespace sagcl::semiagcl
