#pragma once
#include "semiagcl/training/teacher_method.h"

namespace sagcl::semiagcl {

/// Mean teacher (Tarvainen & Valpola 2017): the student's probabilities on the strong view of unlabelled images should equal
/// those of an averaged copy of itself on the weak view, by mean squared error, ramped up.
class MeanTeacher : public TeacherMethod {
 public:
  using TeacherMethod::TeacherMethod;
  std::vector<Phase> phases() override;

 protected:
  /// L_reg: the student's logits and the teacher's probabilities, both of the unlabelled samples.
  virtual Variable consistency(StepInput& in, const Variable& logits);
};

}  // namespace sagcl::semiagcl
