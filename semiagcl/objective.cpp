#include "semiagcl/objective.h"

#include <algorithm>
#include <cmath>

#include "ops/arithmetic.h"
#include "ops/layout.h"

namespace sagcl::semiagcl {

double ramp_up(double t, double length) {
  if (length <= 0) return 1;
  const double left = 1 - std::clamp(t, 0.0, length) / length;
  return std::exp(-5 * left * left);
}

std::int64_t warm_up_steps(std::int64_t steps, const Method& m) { return std::int64_t(m.warm_up_share * double(steps)); }

Weights weights_at(std::int64_t step, std::int64_t steps, const Method& m) {
  const std::int64_t warm_up = warm_up_steps(steps, m);
  if (step < warm_up) return {1, 0, 0, 0};
  const double w = ramp_up(double(step - warm_up), m.ramp_share * double(steps - warm_up));
  return {1, w * m.w_reg, m.kernel == Kernel::none ? 0 : w * m.w_pl, m.mixing == Mixing::none ? 0 : w * m.w_rw};
}

Variable objective(const Terms& terms, const Weights& weights) {
  Variable all;
  const auto add = [&](const Variable& term, double weight) {
    if (!term.defined()) return;
    engine::require(term.value().size() == 1, "objective: a term has shape {}, expected a scalar", term.shape());
    const Variable weighted = ops::scale(ops::reshape(term, {}), weight);
    all = all.defined() ? ops::add(all, weighted) : weighted;
  };
  // Eq. 8. Departs from the paper: the weights and their ramp-up are ours; with all of them 1 it is the printed sum.
  add(terms.sup, weights.sup), add(terms.reg, weights.reg), add(terms.pl, weights.pl), add(terms.rw, weights.rw);
  engine::require<engine::UsageError>(all.defined(), "objective: no term is defined");
  return all;
}

TermValues values_of(const Terms& terms, const Weights& w) {
  TermValues out;
  out.weights = w;
  const auto read = [&](const Variable& term, double weight) -> std::optional<double> {
    if (!term.defined()) return {};
    const double value = term.value().item();
    out.all += weight * value;
    return value;
  };
  out.sup = read(terms.sup, w.sup), out.reg = read(terms.reg, w.reg), out.pl = read(terms.pl, w.pl),
  out.rw = read(terms.rw, w.rw);
  return out;
}

std::string TermValues::text() const {
  std::string line;
  const auto part = [&](const char* name, double weight, const std::optional<double>& value) {
    if (value) line += fmt::format("{}{:.3g} x {} {:.4g}", line.empty() ? "" : " + ", weight, name, *value);
  };
  part("sup", weights.sup, sup), part("reg", weights.reg, reg), part("pl", weights.pl, pl), part("rw", weights.rw, rw);
  return fmt::format("all {:.4g} = {}", all, line);
}

}  // namespace sagcl::semiagcl
