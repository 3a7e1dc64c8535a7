#pragma once
#include <memory>
#include <vector>

#include "semiagcl/baselines/parts/extended_student.h"

namespace sagcl::semiagcl {

/// MC-Net (Wu et al., MICCAI 2021): a second decoder, which doubles extents in another way, shares the student's encoder,
/// and each should say what the other says, sharpened. The student's own decoder is the one that is evaluated.
class MutualConsistency : public ExtendedStudent {
 public:
  MutualConsistency(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
      : MutualConsistency(settings, spec, device, 1) {}
  NamedModules modules() override;

 protected:
  MutualConsistency(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device,
                    std::size_t further_decoders);

 private:
  std::vector<Variable> outputs(StepInput& in) override;
  Term consistency(const StepInput& in, const std::vector<Variable>& logits) const override;

  std::vector<std::unique_ptr<layers::Decoder>> decoders_;  // beside the student's
};

/// MC-Net+ (Wu et al., Medical Image Analysis 2022): three decoders; the third repeats the nearest voxel.
class MutualConsistencyPlus final : public MutualConsistency {
 public:
  MutualConsistencyPlus(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
      : MutualConsistency(settings, spec, device, 2) {}
};

/// p^10 / (p^10 + (1 − p)^10), element by element: the temperature 0.1. Finite, and so is its gradient, in all of [0, 1].
Variable sharpen(const Variable& p);

/// Σ over pairs i ≠ j of the mean of (p_i − sharpen(p_j))²; p_i [.., K], all of one shape. Gradients go into both.
Variable mutual_consistency(const std::vector<Variable>& probabilities);

}  // namespace sagcl::semiagcl
