#pragma once
#include "semiagcl/baselines/parts/distilled_method.h"

namespace sagcl::semiagcl {

/// ACTION (You et al., IPMI 2023): relational distillation, then self-training on CutMix pairs with a contrast of voxels in
/// ReCo's form: L_sup + L_u + 0.01 L_contrast.
class Action final : public DistilledMethod {
 public:
  using DistilledMethod::DistilledMethod;

 private:
  Phase fine_tuning() override;
  std::vector<Term> terms(StepInput& in);
};

}  // namespace sagcl::semiagcl
