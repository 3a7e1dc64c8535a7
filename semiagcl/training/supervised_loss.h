#pragma once
#include "autograd/tape.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// L_sup = ½ (cross-entropy + soft Dice with squared denominator), sums over the whole batch. logits [N,D,H,W,C], labels
/// i32 [N,D,H,W], −1 not counted. Two classes: Dice of the foreground; more: the mean over all classes with background,
/// as UA-MT does on LA and SSL4MIS on ACDC. The paper only names the term.
Variable supervised_loss(const Variable& logits, const Tensor& labels);

}  // namespace sagcl::semiagcl
