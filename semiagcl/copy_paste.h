#pragma once
#include "autograd/tape.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

// The paper's mask M ("zero-value region of mask M", section IV-C): bidirectional copy-paste (Bai et al., CVPR 2023). A box
// of zeros is drawn for every labelled image (datasets::Batch::mask); two images are mixed as a ⊙ M + b ⊙ (1 − M), and
// their labels likewise (ops::choose). Boxes swapped between labelled images alone are an augmentation for every method:
// augment.copy_paste.

/// The loss of a mixed batch: w_outside L_sup over the voxels where M = 1, plus w_inside L_sup over the box, each a mean
/// over its region. logits [N,D,H,W,C], labels i32 [N,D,H,W] mixed as the images were, mask f32 [N,D,H,W].
Variable mixed_loss(const Variable& logits, const Tensor& labels, const Tensor& mask, double w_outside, double w_inside);

/// The most likely classes i32 [N,D,H,W] of probabilities [N,D,H,W,C], with `largest_component` only the largest connected
/// component of each foreground class of each image (8 neighbours in images, 26 in volumes): then the host looks at them.
Tensor pseudo_labels(const Tensor& probabilities, bool largest_component);

}  // namespace sagcl::semiagcl
