#pragma once
#include "autograd/tape.h"
#include "semiagcl/settings/config.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// L_reg of Eq. 8 on unlabelled images, from the student's scores z [N,D,H,W,C] on the strong view and the teacher's
/// probabilities q (constant) on the weak view of the same geometry; a mean over voxels.
///   soft_ce         −Σ_c q log softmax(z)                               the paper's words
///   sharpened_ce    the same with q² / Σ q² (temperature ½)
///   ce_argmax       cross-entropy with the teacher's most likely class
///   dice_ce_argmax  L_sup with it: ½ (CE + Dice)
///   mse             mean over voxels and classes of (softmax(z) − q)²   mean teacher
/// The argmax forms leave out voxels where the teacher's largest probability is below `least`.
Variable consistency_loss(const Variable& student_logits, const Tensor& teacher_probabilities, Consistency form,
                          double least = 0);

/// q² / Σ_c q², over the last axis.
Tensor sharpened(const Tensor& q);

}  // namespace sagcl::semiagcl
