#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64; UsageError for a negative slope.

Variable relu(const Variable& x);                      ///< max(x, 0); gradient 0 at 0
Variable leaky_relu(const Variable& x, double slope);  ///< x for x > 0, else slope x; gradient slope at 0
Variable sigmoid(const Variable& x);                   ///< 1 / (1 + e^-x)
Variable tanh(const Variable& x);

}  // namespace sagcl::ops
