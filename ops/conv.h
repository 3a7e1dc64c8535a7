#pragma once
#include "autograd/tape.h"
#include "ops/conv_geometry.h"

namespace sagcl::ops {

using autograd::Variable;

// Errors: UsageError for an undefined operand, DtypeError unless f32 or f64 and alike, DeviceError unless on one
// device, ShapeError where ranks, channels or extents do not fit or nothing would be left.

struct ConvSpec {
  Extents stride{{1, 1, 1}};
  Extents padding{{0, 0, 0}};
  /// For some planes of a volume: how many the result of the whole volume would have. The CPU then chooses its kernel as for
  /// the whole, so that the planes have the bits that they have there; for kernels deeper than one voxel. 0: x is whole.
  std::int64_t whole_depth = 0;
  /// A norm by the batch's own statistics follows. It takes off the mean, and b with it, so the gradient of b is zero but
  /// for rounding: it is set to zero, which saves a pass over memory.
  bool norm_follows = false;
};

/// Cross-correlation over a volume (an image is a volume of depth one).
///
///   y[n,p,o] = b[o] + Σ_k Σ_c w[o,k,c] · x[n, stride·p + k − padding, c]        x is 0 outside
///
/// x [N,D,H,W,C]   w [O,Kd,Kh,Kw,C]   b [O] or undefined   ->   y [N,D',H',W',O],  D' = (D + 2 padding − Kd) / stride + 1
Variable conv(const Variable& x, const Variable& w, const Variable& b, const ConvSpec& spec = {});

/// The transpose of `conv` in x: what conv's gradient does to y, as a layer of its own.
///
/// x [N,D,H,W,I]   w [I,Kd,Kh,Kw,O]   b [O] or undefined   ->   y [N,D',H',W',O],  D' = (D − 1) stride − 2 padding + Kd
Variable conv_transposed(const Variable& x, const Variable& w, const Variable& b, const ConvSpec& spec = {});

}  // namespace sagcl::ops
