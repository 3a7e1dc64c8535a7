#pragma once
#include <cstdint>
#include <vector>

#include "layers/conv_layer.h"
#include "layers/projection_head.h"

namespace sagcl::semiagcl {

using autograd::Tensor;
using autograd::Variable;

/// SASSNet's judge of shapes (Li et al., MICCAI 2020): is a signed distance map of a labelled image or of an unlabelled one?
/// Convolutions 4x4x4 with stride 2 of map and image, added; three more of twice the channels each; LeakyReLU 0.2 after
/// each, and dropout 0.5 of whole channels between them; average pooling, two scores. 11,020,290 parameters at width
/// 64, 1 + 1 channels.
class ShapeDiscriminator final : public layers::Module {
 public:
  struct Spec {
    std::int64_t distances = 1, image = 1;  ///< channels
    std::int64_t width = 64;                ///< channels of the first stage
    bool flat = false;                      ///< images: kernels 1x4x4
  };
  ShapeDiscriminator(const Spec& spec, engine::Generator& random);

  /// Scores [N, 2] of maps [N,D,H,W,distances] and images [N,D,H,W,image]: "unlabelled", "labelled". UsageError below 16
  /// voxels along an axis that is halved.
  Variable forward(const Variable& distances, const Variable& images, const layers::Pass& pass) const;
  void describe(layers::Parts& parts) override;

 private:
  layers::ConvLayer of_distances_, of_images_;
  std::vector<layers::ConvLayer> deeper_;  // three
  layers::Linear classifier_;
};

/// Mean cross-entropy of scores [N, 2] where the first `labelled` rows are of labelled images.
Variable judgement_loss(const Variable& scores, std::int64_t labelled);

}  // namespace sagcl::semiagcl
