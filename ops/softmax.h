#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Variable;

Variable softmax(const Variable& x);      ///< over the last axis: e^x / Σ e^x, shifted by the maximum
Variable log_softmax(const Variable& x);  ///< over the last axis: x - log Σ e^x

}  // namespace sagcl::ops
