#pragma once
#include "semiagcl/training/averaged_network.h"
#include "semiagcl/training/training_method.h"
#include "semiagcl/training/warm_up.h"

namespace sagcl::semiagcl {

/// What methods with a mean teacher share. The settings must outlive the method.
class TeacherMethod : public TrainingMethod {
 public:
  TeacherMethod(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
      : settings_(settings), teacher_(settings, spec, device) {}

  layers::Segmenter* teacher() override { return teacher_.get(); }
  bool averages() const override { return true; }

 protected:
  const RunSettings& settings_;
  AveragedNetwork teacher_;
};

}  // namespace sagcl::semiagcl
