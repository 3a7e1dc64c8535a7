#pragma once
#include <vector>

#include "semiagcl/training/training_method.h"
#include "semiagcl/training/warm_up.h"

namespace sagcl::semiagcl {

/// What methods share that give the student further outputs, by heads or decoders which learn with it from the first step of
/// the warm-up: L = Σ_d w L_sup(output d) on labelled samples + a consistency of the outputs. The settings must outlive it.
class ExtendedStudent : public TrainingMethod {
 public:
  std::vector<Phase> phases() final;

 protected:
  /// `supervised_weight` is w, of every output.
  ExtendedStudent(const RunSettings& settings, double supervised_weight)
      : settings_(settings), supervised_weight_(supervised_weight) {}

  /// Logits [N,D,H,W,K] of the strong view, those of the student first.
  virtual std::vector<Variable> outputs(StepInput& in) = 0;
  virtual Term consistency(const StepInput& in, const std::vector<Variable>& logits) const = 0;

  const RunSettings& settings_;

 private:
  /// "sup" of the student's logits, "sup2", … of the others.
  std::vector<Term> supervised_terms(const StepInput& in, const std::vector<Variable>& logits) const;
  double supervised_weight_;
};

}  // namespace sagcl::semiagcl
