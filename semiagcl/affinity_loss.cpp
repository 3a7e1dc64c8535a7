#include "semiagcl/affinity_loss.h"

#include "ops/arithmetic.h"
#include "ops/nuclear_norm.h"
#include "ops/reduce.h"

namespace sagcl::semiagcl {

Variable affinity_losses(const Variable& a, const Method& m) {
  const engine::Shape& s = a.shape();
  engine::require(s.rank() == 3 && s[1] == s[2] && s[1] > 0, "affinity_losses: expected [graphs, P, P], got {}", s);
  // Departs from the paper: Eq. 3 with γ = −1 is tr A − ‖A‖_*, yet the text maximises the trace and minimises the norm. So
  // Eq. 3 is the quantity to maximise and the loss is its negative; Sign::printed keeps the printed sign for an ablation.
  const double sign = m.sign == Sign::printed ? -1 : 1;
  const double per_node = sign / double(s[1]);  // Departs from the paper: divided by P, so the weight does not depend on it.
  Variable loss = ops::scale(ops::trace(a), -m.c_tr * per_node);  // Eq. 3
  if (m.c_nuc != 0) {
    const Variable norm = ops::nuclear_norm(a, {.drop = m.drop, .polar = m.polar});
    loss = ops::add(ops::scale(norm, m.c_nuc * per_node), loss);  // Eq. 3
  }
  return loss;
}

Variable affinity_loss(const Variable& a, const Method& m) { return ops::mean(affinity_losses(a, m)); }

}  // namespace sagcl::semiagcl
