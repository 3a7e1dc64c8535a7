#pragma once
#include "layers/segmenter.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// Virtual adversarial training (Miyato et al., TPAMI 2019), as SS-Net has it: the network should say the same of an image
/// and of the one at distance eps in the direction in which its answer changes most, found by one power step at distance 10
/// from a random direction.
///
/// `target`: what the network says of x [N,D,H,W,C], its probabilities [N,D,H,W,K], constant. Both forwards are training
/// ones that leave the running statistics alone; only the second is recorded.
Variable virtual_adversarial_loss(layers::Segmenter& network, const Tensor& x, const Tensor& target, double eps,
                                  engine::Generator random);

/// How far softmax(logits) is from the target, as released. In volumes the Dice loss 1 − 2 Σ p q / (Σ p + Σ q) whose sums
/// run over all channels together; in images the mean over the channels of 1 − 2 Σ p q / (Σ p² + Σ q²).
Variable answer_distance(const Variable& logits, const Tensor& target, bool flat);

/// Each sample [N, ..] divided by its Euclidean length.
Tensor unit_samples(const Tensor& x);

}  // namespace sagcl::semiagcl
