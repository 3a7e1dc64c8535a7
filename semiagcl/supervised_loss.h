#pragma once
#include "autograd/tape.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// L_sup = ½ (cross-entropy + soft Dice with squared denominator), sums over the whole batch. logits [N,D,H,W,C], labels
/// i32 [N,D,H,W], −1 not counted. Two classes: Dice of the foreground; more: the mean over all classes with background,
/// as UA-MT does on LA and SSL4MIS on ACDC. The paper only names the term.
Variable supervised_loss(const Variable& logits, const Tensor& labels);

/// The most likely class of every voxel, the first of equals: p [.., C] -> i32 [..] on p's device. -1 (not counted) where
/// its probability is below `least`.
Tensor most_likely(const Tensor& p, double least = 0);

}  // namespace sagcl::semiagcl
