#pragma once
#include "autograd/tape.h"
#include "engine/extents.h"

namespace sagcl::ops {

using autograd::Variable;
using engine::Extents;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64, ShapeError unless x is [N,D,H,W,C] and
// the window fits and is not empty.

struct PoolSpec {
  Extents window{{2, 2, 2}};
  Extents stride{{2, 2, 2}};
};

/// x [N,D,H,W,C] -> [N, (D - window)/stride + 1, …, C]; no padding, what does not fill a window is dropped.
/// The first maximum in row-major order receives the gradient.
Variable max_pool(const Variable& x, const PoolSpec& spec);
Variable average_pool(const Variable& x, const PoolSpec& spec);

}  // namespace sagcl::ops
