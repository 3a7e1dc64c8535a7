#pragma once
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "semiagcl/training/config.h"

namespace sagcl::semiagcl {

using autograd::Variable;

/// How far the weights of Eq. 8's terms beside L_sup have risen at a step of `steps`: 0 during the warm-up (the first
/// m.warm_up_share), then layers::ramp_up over m.ramp_share of what remains.
double ramp_at(std::int64_t step, std::int64_t steps, const Method& m);

/// First step at which the teacher takes part.
std::int64_t warm_up_steps(std::int64_t steps, const Method& m);

/// One term of the objective.
struct Term {
  std::string name;          ///< "sup", "reg", "pl", "rw"
  Variable value;            ///< scalar
  double weight = 1;         ///< 0 leaves it out
  engine::Tensor ramp = {};  ///< a further factor on the device (f64 [1]); undefined is 1
};

/// Eq. 8: L_all = Σ ramp · weight · value over the terms. UsageError when none counts.
Variable objective(const std::vector<Term>& terms);

}  // namespace sagcl::semiagcl
