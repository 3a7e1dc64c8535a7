#pragma once
#include "autograd/tape.h"
#include "engine/extents.h"

namespace sagcl::ops {

using autograd::Variable;
using engine::Extents;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64, ShapeError unless x is [N,D,H,W,C] and
// no extent is 0.

enum class Interpolation { nearest, linear };  ///< linear is bilinear for D = 1, trilinear otherwise

struct ResizeSpec {
  Extents out;
  Interpolation interpolation = Interpolation::linear;
  bool align_corners = false;  ///< the corner voxels' centres coincide; nearest ignores it
};

/// x [N,D,H,W,C] -> [N,out,C]
Variable resize(const Variable& x, const ResizeSpec& spec);

}  // namespace sagcl::ops
