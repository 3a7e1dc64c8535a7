#pragma once
#include <vector>

#include "layers/conv_layer.h"
#include "semiagcl/baselines/parts/extended_student.h"

namespace sagcl::semiagcl {

/// Heads on the three deeper stages of a student's decoder, for training: each sees its stage disturbed in its own way, and
/// its scores are brought to the extents of the last stage. With the student's own head they are the pyramid.
class PyramidHeads final : public layers::Module {
 public:
  PyramidHeads(bool flat, const layers::SegmenterSpec& spec, engine::Generator& random);
  /// Logits [N,D,H,W,K], the deepest stage's first; `decoder` as in layers::Stages.
  std::vector<Variable> forward(const std::vector<Variable>& decoder, engine::Generator& random) const;
  void describe(layers::Parts& parts) override;

 private:
  bool flat_;
  std::vector<layers::ConvLayer> heads_;
};

/// URPC (Luo et al., MICCAI 2021, Medical Image Analysis 2022): heads on the four scales of the decoder should agree on
/// unlabelled images, less so where a scale is uncertain. All learn from the labels; the finest is the student's output.
class UncertaintyRectifiedPyramid final : public ExtendedStudent {
 public:
  UncertaintyRectifiedPyramid(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);
  NamedModules modules() override { return {{"heads", &heads_}}; }

 private:
  std::vector<Variable> outputs(StepInput& in) override;
  Term consistency(const StepInput& in, const std::vector<Variable>& logits) const override;

  PyramidHeads heads_;
};

/// x [N,D,H,W,C] with zeros wherever its mean over the channels is not below `share` (f64 [1]) of that mean's largest in the
/// image: without what the network attends to most (Ouali et al., CVPR 2020). An image without a positive mean stays.
Variable feature_dropout(const Variable& x, const Tensor& share);

/// With p̄ the mean of the scales' probabilities p_s, KL_s = Σ_c p̄ (log p̄ − log p_s) and w_s = exp(−KL_s) of each voxel:
/// the mean over scales of mean(w_s (p̄ − p_s)²) / (mean w_s + 1e-8) + mean KL_s. Nothing in it is a constant. Logits
/// [N,D,H,W,K], all of one shape.
Variable rectified_consistency(const std::vector<Variable>& logits);

}  // namespace sagcl::semiagcl
