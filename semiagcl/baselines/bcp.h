#pragma once
#include "semiagcl/training/teacher_method.h"

namespace sagcl::semiagcl {

/// Bidirectional copy-paste (Bai et al., CVPR 2023): labelled images are pasted into unlabelled ones and the other way
/// round, and the student learns from the truth in one part and from the teacher's labels in the other. Before, it is
/// trained on pairs of labelled images mixed in the same way (over method.warm_up_share of the steps).
class BidirectionalCopyPaste final : public TeacherMethod {
 public:
  using TeacherMethod::TeacherMethod;

  std::vector<Phase> phases() override;
  double ema_decay(const RunSettings& settings) const override { return settings.mix.ema_decay; }
  bool waits_for_host() const override { return settings_.mix.largest_component; }

 private:
  std::vector<Term> both_directions(StepInput& in);
};

}  // namespace sagcl::semiagcl
