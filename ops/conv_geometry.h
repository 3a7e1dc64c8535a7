#pragma once
#include "engine/extents.h"

namespace sagcl::ops {

using engine::Extents;

/// The sizes of one convolution x [N, in, C] * w [O, kernel, C] -> y [N, out, O], with out = (in + 2 padding - kernel) /
/// stride + 1. A transposed convolution is the same geometry read backwards: it maps y to x.
struct ConvGeometry {
  std::int64_t N = 1, C = 1, O = 1;
  Extents in, kernel, out, stride;
  Extents padding{{0, 0, 0}};
  std::int64_t whole_depth = 0;  ///< as in ConvSpec
  bool operator==(const ConvGeometry&) const = default;
};

}  // namespace sagcl::ops
