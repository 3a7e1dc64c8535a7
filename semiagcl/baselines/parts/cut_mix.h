#pragma once
#include "autograd/tape.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// CutMix (Yun et al., ICCV 2019) within a batch: image i where its mask is 1, image i + 1 in the box of zeros, the last
/// with the first. x [n,D,H,W,..], masks f32 [n,D,H,W] -> as x.
Tensor cut_mix(const Tensor& x, const Tensor& masks);

/// L_u of ReCo (Liu et al., ICLR 2022), which ACTION and ARCO took over: the cross-entropy with the most likely classes of
/// q, a mean over images that each count by the share of their voxels whose largest probability is `least` or more. logits
/// z, q [n,D,H,W,C] (constant).
Variable confident_cross_entropy(const Variable& logits, const Tensor& q, double least = 0.97);

}  // namespace sagcl::semiagcl
