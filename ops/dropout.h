#pragma once
#include "autograd/tape.h"
#include "engine/philox.h"

namespace sagcl::ops {

using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64, UsageError for p outside [0, 1),
// ShapeError where there is no channel.

/// Keeps each element with probability 1 - p and divides it by 1 - p; p in [0, 1). The mask is a function of the key
/// and is drawn again in the backward pass instead of being stored.
Variable dropout(const Variable& x, double p, engine::RandomKey key);
/// The same decision for a whole channel of an image: x [N, .., C].
Variable channel_dropout(const Variable& x, double p, engine::RandomKey key);

}  // namespace sagcl::ops
