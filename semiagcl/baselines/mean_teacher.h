#pragma once
#include "semiagcl/training/averaged_network.h"

namespace sagcl::semiagcl {

/// Mean teacher (Tarvainen & Valpola 2017): the student's probabilities on the strong view of unlabelled images should equal
/// those of an averaged copy of itself on the weak view, by mean squared error, ramped up.
class MeanTeacher : public TrainingMethod {
 public:
  MeanTeacher(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
      : w_reg_(settings.method.w_reg), teacher_(settings, spec, device) {}

  bool uses_unlabelled() const override { return true; }
  void begin(layers::Segmenter& student) override { teacher_.begin(student); }
  void warm_up(const StepUpdate& update) override { teacher_.follow(update, Buffers::averaged); }
  std::vector<Term> terms(StepInput& in) override;
  void after_update(const StepUpdate& update) override { teacher_.follow(update); }
  std::vector<layers::Module*> modules() override { return {&teacher_.network()}; }
  layers::Segmenter* teacher() override { return teacher_.get(); }
  void store(engine::TensorFile& content) const override { teacher_.store(content); }
  void load(const engine::TensorFile& content, const std::string& source) override { teacher_.load(content, source); }

 protected:
  double w_reg_;
  AveragedNetwork teacher_;
};

}  // namespace sagcl::semiagcl
