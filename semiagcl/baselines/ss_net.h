#pragma once
#include <memory>

#include "semiagcl/baselines/parts/class_separation.h"
#include "semiagcl/training/training_method.h"

namespace sagcl::semiagcl {

/// SS-Net (Wu et al., MICCAI 2022): the network should be smooth around every image, in the direction where it is least so
/// (virtual_adversary.h), and the features of a class should lie together (class_separation.h). No teacher. On volumes the
/// heads see every voxel, some gigabytes for two pairs of 112x112x80.
class SsNet final : public TrainingMethod {
 public:
  SsNet(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

  std::vector<Phase> phases() override;
  NamedModules modules() override { return {{"separation", heads_.get()}}; }

 private:
  std::vector<Term> terms(StepInput& in);

  const RunSettings& settings_;
  std::unique_ptr<SeparationHeads> heads_;
};

}  // namespace sagcl::semiagcl
