#pragma once
#include <vector>

#include "semiagcl/baselines/parts/distance_head.h"
#include "semiagcl/baselines/parts/shape_discriminator.h"
#include "semiagcl/training/training_method.h"

namespace sagcl::semiagcl {

/// SASSNet (Li et al., MICCAI 2020): a second head regresses signed distance maps, and a discriminator that tells maps of
/// labelled images from those of unlabelled ones asks for shapes like the labelled ones.
class ShapeAwareNetwork final : public TrainingMethod {
 public:
  ShapeAwareNetwork(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

  std::vector<Phase> phases() override;
  NamedModules modules() override { return {{"distance_head", &head_}, {"discriminator", &discriminator_}}; }

 private:
  std::vector<Term> terms(StepInput& in);

  const RunSettings& settings_;
  DistanceHead head_;
  ShapeDiscriminator discriminator_;
};

}  // namespace sagcl::semiagcl
