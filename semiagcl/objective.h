#pragma once
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "semiagcl/config.h"

namespace sagcl::semiagcl {

using autograd::Variable;

/// Weights of Eq. 8's terms.
struct Weights { double sup = 1, reg = 1, pl = 1, rw = 1, ramp = 1; };

/// Weights at a step of `steps`: during the warm-up (the first m.warm_up_share) only L_sup counts; then the others rise by
/// layers::ramp_up over m.ramp_share of what remains. L_PL is 0 with kernel none, L_RW with mixing none.
Weights weights_at(std::int64_t step, std::int64_t steps, const Method& m);

/// First step at which the teacher takes part.
std::int64_t warm_up_steps(std::int64_t steps, const Method& m);

/// One term of the objective.
struct Term {
  std::string name;   ///< "sup", "reg", "pl", "rw"
  Variable value;     ///< scalar; an undefined one is left out
  double weight = 1;
};

/// Eq. 8: L_all = Σ weight · value over the defined terms. UsageError when none is.
Variable objective(const std::vector<Term>& terms);

}  // namespace sagcl::semiagcl
