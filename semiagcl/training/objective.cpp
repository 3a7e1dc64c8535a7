#include "semiagcl/training/objective.h"

#include "ops/arithmetic.h"
#include "ops/layout.h"

namespace sagcl::semiagcl {

Variable total_loss(const std::vector<Term>& terms) {
  Variable all;
  for (const Term& term : terms) {
    if (term.weight == 0) continue;
    engine::require(term.value.value().size() == 1, "total_loss: {} has shape {}, expected a scalar", term.name,
                    term.value.shape());
    // Departs from the paper: the weights and their ramp-up are ours; with all of them 1 it is the printed sum.
    const Variable scalar = ops::reshape(term.value, {});
    Variable weighted = term.weight == 1 ? scalar : ops::scale(scalar, term.weight);
    if (term.ramp.defined()) weighted = ops::scale(weighted, term.ramp);
    all = all.defined() ? ops::add(all, weighted) : weighted;  // Eq. 8
  }
  engine::require<engine::UsageError>(all.defined(), "total_loss: no term counts");
  return all;
}

}  // namespace sagcl::semiagcl
