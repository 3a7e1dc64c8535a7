#pragma once
#include "semiagcl/training/averaged_network.h"

namespace sagcl::semiagcl {

/// Mean teacher (Tarvainen & Valpola 2017): the student's probabilities on the strong view of unlabelled images should equal
/// those of an averaged copy of itself on the weak view, by mean squared error, ramped up.
class MeanTeacher : public TrainingMethod {
 public:
  MeanTeacher(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
      : settings_(settings), teacher_(settings, spec, device) {}

  std::vector<Phase> phases() override;
  layers::Segmenter* teacher() override { return teacher_.get(); }
  void store(engine::TensorFile& content) const override { teacher_.store(content); }
  void load(const engine::TensorFile& content, const std::string& source) override { teacher_.load(content, source); }

 protected:
  /// L_reg: the student's logits and the teacher's look, both at the unlabelled samples.
  virtual Variable consistency(StepInput& in, const Variable& logits);

  const RunSettings& settings_;
  AveragedNetwork teacher_;
};

}  // namespace sagcl::semiagcl
