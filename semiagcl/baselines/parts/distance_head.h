#pragma once
#include <vector>

#include "layers/conv_layer.h"
#include "semiagcl/settings/settings.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

/// What SASSNet (Li et al., MICCAI 2020) and DTC (Luo et al., AAAI 2021) share: beside the student's own head a second one
/// on the same features, which regresses the signed distance map of every class but the background and learns from the
/// truth.
class DistanceHead final : public layers::Module {
 public:
  DistanceHead(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

  struct Output {
    Variable logits;     ///< [N,D,H,W,K]
    Variable distances;  ///< [N,D,H,W,K-1], in (-1, 1) and negative inside, as datasets::signed_distances
  };
  /// A training forward of student and head on the batch's strong view.
  Output forward(StepInput& in) const;
  void describe(layers::Parts& parts) override;

 private:
  layers::ConvLayer conv_;
};

/// Mean squared error of the labelled samples, the first of distances [N,D,H,W,K-1]; truth [labelled,D,H,W,K-1].
Variable distance_loss(const Variable& distances, const Tensor& truth);

/// The terms "sup" and "sdf" of the labelled samples.
std::vector<Term> supervised_terms(const StepInput& in, const DistanceHead::Output& seen);

/// The phases of with_warm_up where the head learns in both and their batches hold distances. It must outlive them.
std::vector<Phase> with_distances(const RunSettings& settings, DistanceHead& head, Phase main);

}  // namespace sagcl::semiagcl
