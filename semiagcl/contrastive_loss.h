#pragma once
#include "autograd/tape.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// What anchors q [B, dim] are contrasted with. All of it is constant: keys come from the teacher and the bank.
struct Contrast {
  Tensor keys = {};  ///< [R, dim] positive keys k⁺ of all anchors
  /// [B, R]: how much each key counts as k⁺ of each anchor; 1 / number at its positives is their mean
  Tensor weights = {};
  Tensor own = {};     ///< [B, M, dim] negatives of each anchor: H of Eq. 7; or undefined
  Tensor shared = {};  ///< [Q, dim] negatives common to all anchors: Q of Eq. 4; or undefined
  /// [B, Q] added to q·n/τ of the shared ones: 0, or -1e30 to leave one out; or undefined. Needs `own`
  Tensor shared_mask = {};
  double tau = 0.2;  ///< temperature τ
};

/// Eq. 4 (negatives Q in `shared`) and Eq. 7 (negatives H in `own`), one loss per anchor:
///
///   L_b = Σ over k⁺ of weight · −log( e^{q·k⁺/τ} / (e^{q·k⁺/τ} + Σ_n e^{q·n/τ}) )          -> [B]
///
/// Differentiable in q only. ShapeError when the parts do not fit; UsageError without negatives.
Variable contrastive_losses(const Variable& q, const Contrast& c);

/// Eq. 5 in closed form, a page to read beside Eq. 4 and a check of the tape: for one positive per anchor,
/// dL_b/dq_b = −((1 − p_k) k⁺ − Σ_n p_n n) / τ. q, k [B, dim], negatives [M, dim].
struct ClosedForm {
  Tensor dq;  ///< [B, dim]
  Tensor p;   ///< [B, 1 + M] matching probabilities, the key first
};
ClosedForm contrastive_gradient(const Tensor& q, const Tensor& k, const Tensor& negatives, double tau);

}  // namespace sagcl::semiagcl
