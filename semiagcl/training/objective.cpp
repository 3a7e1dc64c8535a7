#include "semiagcl/training/objective.h"

#include "ops/arithmetic.h"
#include "ops/layout.h"

namespace sagcl::semiagcl {

Variable weighted(const Term& term) {
  engine::require(term.value.value().size() == 1, "total_loss: {} has shape {}, expected a scalar", term.name,
                  term.value.shape());
  // Departs from the paper: the weights and their ramp-up are ours; with all of them 1 it is the printed sum.
  const Variable scalar = ops::reshape(term.value, {});
  const Variable value = term.weight == 1 ? scalar : ops::scale(scalar, term.weight);
  return term.ramp.defined() ? ops::scale(value, term.ramp) : value;
}

Variable total_loss(const std::vector<Term>& terms) {
  Variable all;
  for (const Term& term : terms) {
    if (term.weight == 0) continue;
    const Variable value = weighted(term);
    all = all.defined() ? ops::add(all, value) : value;  // Eq. 8
  }
  engine::require<engine::UsageError>(all.defined(), "total_loss: no term counts");
  return all;
}

}  // namespace sagcl::semiagcl
