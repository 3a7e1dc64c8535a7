#pragma once
#include "autograd/tape.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

// The paper's mask M ("zero-value region of mask M", section IV-C): bidirectional copy-paste (Bai et al., CVPR 2023). A box
// of zeros is drawn for every labelled image (datasets::Batch::mask); two images are mixed as a ⊙ M + b ⊙ (1 − M), and
// their labels likewise (ops::choose). Boxes swapped between labelled images alone are an augmentation for every method:
// augment.copy_paste.

/// Every labelled image of a batch with an unlabelled one, in both directions: of n pairs, rows 0 … n - 1 are labelled
/// images with an unlabelled box, rows n … 2n - 1 unlabelled images with a labelled box.
class BothWays {
 public:
  /// `masks` f32 [n,D,H,W], as of a batch.
  explicit BothWays(const Tensor& masks);

  /// Two tensors [n,D,H,W,..] mixed so -> [2n,D,H,W,..]; or one whose first half is of labelled images.
  Tensor mix(const Tensor& labelled, const Tensor& unlabelled) const;
  Tensor mix(const Tensor& batch) const;

  /// L_sup where the labelled image is seen, a mean over that region of all 2n images, and in the rest L_sup with the pseudo
  /// labels. logits [2n,D,H,W,K] of mixed images; truth, pseudo i32 [n,D,H,W], -1 is not counted.
  Variable labelled_loss(const Variable& logits, const Tensor& truth) const;
  Variable unlabelled_loss(const Variable& logits, const Tensor& pseudo) const;

 private:
  Tensor labelled_;  // 1 where the labelled image is seen, else 0: the masks, and 1 - masks
};

/// The most likely classes i32 [N,D,H,W] of probabilities [N,D,H,W,C], -1 where none has a probability of `least`. With
/// `largest_component` only the largest connected component of each foreground class of each image (8 neighbours in images,
/// 26 in volumes): then the host looks at them.
Tensor pseudo_labels(const Tensor& probabilities, bool largest_component, double least = 0);

}  // namespace sagcl::semiagcl
