#pragma once
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "semiagcl/settings/config.h"

namespace sagcl::semiagcl {

using autograd::Variable;

/// One term of the objective.
struct Term {
  std::string name;          ///< "sup", "reg", "pl", "rw"
  Variable value;            ///< scalar
  double weight = 1;         ///< 0 leaves it out
  engine::Tensor ramp = {};  ///< a further factor on the device (f64 [1]); undefined is 1
};

/// ramp · weight · value, a scalar: what Eq. 8 adds up.
Variable weighted(const Term& term);

/// Eq. 8: L_all = Σ ramp · weight · value over the terms. UsageError when none counts.
Variable total_loss(const std::vector<Term>& terms);

}  // namespace sagcl::semiagcl
