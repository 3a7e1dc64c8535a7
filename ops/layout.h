#pragma once
#include <vector>

#include "autograd/tape.h"
#include "engine/extents.h"

namespace sagcl::ops {

using autograd::Shape;
using autograd::Variable;
using engine::Extents;

Variable reshape(const Variable& x, const Shape& shape);        ///< same elements in the same order
Variable concat(const std::vector<Variable>& parts, int axis);  ///< negative axes count from the end; rank up to 5
Variable slice(const Variable& x, int axis, std::int64_t begin, std::int64_t count);
/// x [N,D,H,W,C]: zeros before and after each spatial axis.
Variable pad(const Variable& x, const Extents& before, const Extents& after);
/// x [N,D,H,W,C] -> [N,size,C] starting at `begin`.
Variable crop(const Variable& x, const Extents& begin, const Extents& size);
/// x [N,D,H,W,C] -> [N·P, D/grid, …, C], P = grid volume; image n's patches are rows n·P … n·P+P-1 in row-major order.
/// ShapeError unless every extent is divisible.
Variable patches(const Variable& x, const Extents& grid);

}  // namespace sagcl::ops
