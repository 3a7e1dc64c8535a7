#pragma once
#include "semiagcl/training/teacher_method.h"

namespace sagcl::semiagcl {

/// Double-uncertainty weighted method (Wang et al., MICCAI 2020): a mean teacher that is asked eight times with dropout, of
/// labelled images too. Where its answers or its features are uncertain, the student need not agree with it; and the student
/// should be certain itself.
/// Departs from the paper: a reconstruction. No code was released, and the paper leaves the forms of both uncertainties and
/// of the learnable term open.
class DoubleUncertainty final : public TeacherMethod {
 public:
  using TeacherMethod::TeacherMethod;
  std::vector<Phase> phases() override;

 private:
  std::vector<Term> terms(StepInput& in);
  Tensor uncertainty(const Tensor& weak, engine::Generator& random);
};

/// The standard deviation of tensors of one shape, element by element, by Welford's updates.
class Spread {
 public:
  void add(const Tensor& x);
  Tensor deviation() const;  ///< of the population (divided by the number of tensors); UsageError if there was none

 private:
  std::int64_t count_ = 0;
  Tensor mean_, squares_;
};

/// x [N, ..] between 0, the smallest value of its sample, and 1, the largest.
Tensor relative_to_sample(const Tensor& x);

/// The mean over voxels of e^−U Σ_c (softmax(z) − q)² + β U', U' = −Σ_c p log p / log C the entropy of the student's own
/// p = softmax(z). logits z, teacher q [N,D,H,W,C] and its uncertainty U [N,D,H,W] are constant.
Variable double_uncertainty_loss(const Variable& logits, const Tensor& q, const Tensor& uncertainty);

}  // namespace sagcl::semiagcl
