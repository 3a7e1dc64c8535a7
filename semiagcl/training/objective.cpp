#include "semiagcl/training/objective.h"

#include "layers/schedule.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"

namespace sagcl::semiagcl {

std::int64_t warm_up_steps(std::int64_t steps, const Method& m) { return std::int64_t(m.warm_up_share * double(steps)); }

double ramp_at(std::int64_t step, std::int64_t steps, const Method& m) {
  const std::int64_t warm_up = warm_up_steps(steps, m);
  return step < warm_up ? 0 : layers::ramp_up(double(step - warm_up), m.ramp_share * double(steps - warm_up));
}

Variable objective(const std::vector<Term>& terms) {
  Variable all;
  for (const Term& term : terms) {
    if (term.weight == 0) continue;
    engine::require(term.value.value().size() == 1, "objective: {} has shape {}, expected a scalar", term.name,
                    term.value.shape());
    // Departs from the paper: the weights and their ramp-up are ours; with all of them 1 it is the printed sum.
    const Variable scalar = ops::reshape(term.value, {});
    Variable weighted = term.weight == 1 ? scalar : ops::scale(scalar, term.weight);
    if (term.ramp.defined()) weighted = ops::scale(weighted, term.ramp);
    all = all.defined() ? ops::add(all, weighted) : weighted;  // Eq. 8
  }
  engine::require<engine::UsageError>(all.defined(), "objective: no term counts");
  return all;
}

}  // namespace sagcl::semiagcl
