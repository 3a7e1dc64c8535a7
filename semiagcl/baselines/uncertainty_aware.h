#pragma once
#include "semiagcl/baselines/mean_teacher.h"

namespace sagcl::semiagcl {

/// UA-MT (Yu et al., MICCAI 2019): mean teacher that asks for consistency only where the teacher is sure of itself.
class UncertaintyAwareMeanTeacher final : public MeanTeacher {
 public:
  using MeanTeacher::MeanTeacher;
  double schedule(double progress) const override;  ///< the entropy threshold

 protected:
  Variable consistency(StepInput& in, const Variable& logits) override;
};

/// Entropy H [..] = −Σ_c p log(p + 1e-6), in nats, of the mean p [.., C] of T probability maps given by their sum.
Tensor predictive_entropy(const Tensor& sum_of_probabilities, std::int64_t T);

/// Σ_v m_v Σ_c (softmax(z) − q)² / (C Σ_v m_v): the mean over the voxels whose entropy is below `threshold` (f64 [1]; m_v =
/// 1) and over classes; 0 if there is none. logits z, teacher q [N,D,H,W,C] (constant), entropy [N,D,H,W].
Variable certain_consistency(const Variable& logits, const Tensor& q, const Tensor& entropy, const Tensor& threshold);

/// Largest entropy that counts at a share of the training in [0, 1]: (¾ + ¼ ramp_up) ln 2, as released, whatever the number
/// of classes.
double entropy_threshold(double progress);

}  // namespace sagcl::semiagcl
