#pragma once
#include "autograd/tape.h"
#include "semiagcl/settings/config.h"

namespace sagcl::semiagcl {

using autograd::Variable;

/// Eq. 3, L_PL of each graph: (c_nuc ‖A‖_* − c_tr tr A) / P, with Sign::printed its negative. A [G,P,P] -> [G].
///
/// |tr A| <= ‖A‖_* for every square matrix, so with c_nuc >= c_tr it is never negative; with equal weights it is 0 exactly
/// when A is symmetric positive semi-definite, as it is when the student agrees with the teacher on every patch. The
/// converse fails (A = 0.1 I gives 0 too), so only c_tr > c_nuc truly asks for agreement; its minimum is then
/// c_nuc − c_tr. dL/dA = (c_nuc U Vᵀ − c_tr I) / P without a derivative of the decomposition.
Variable affinity_losses(const Variable& a, const Method& m);

/// Their mean over graphs: the term L_PL of Eq. 8, a scalar.
Variable affinity_loss(const Variable& a, const Method& m);

}  // namespace sagcl::semiagcl
