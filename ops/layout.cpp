#include "ops/layout.h"

#include <algorithm>
#include <cmath>

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::recording;
using autograd::Saved;
using autograd::Tensor;

namespace {

/// The whole of x, as a block to be placed at the origin of y; shapes of fewer than five axes get leading ones.
BlockCopy block(const Shape& x, const Shape& y) {
  BlockCopy b{};
  for (int a = 0; a < 5; ++a) {
    const int own = a - (5 - x.rank());
    b.x_shape[a] = own < 0 ? 1 : x[own];
    b.y_shape[a] = own < 0 ? 1 : y[own];
    b.extent[a] = std::min(b.x_shape[a], b.y_shape[a]);
  }
  return b;
}

void copy(const BlockCopy& b, const Tensor& x, Tensor& y) {
  if (x.size() > 0 && y.size() > 0) backend(y.device()).copy_block(b, x, y);
}

/// The part of x that starts at `begin` along `axis`, or its inverse: x placed at `begin` in y.
Tensor cut(const Tensor& x, const Shape& y_shape, int axis, std::int64_t begin) {
  Tensor y = Tensor::empty(y_shape, x.dtype(), x.device());
  BlockCopy b = block(x.shape(), y_shape);
  b.x_begin[axis + 5 - x.shape().rank()] = begin;
  copy(b, x, y);
  return y;
}

void place(const Tensor& x, Tensor& y, int axis, std::int64_t begin) {
  BlockCopy b = block(x.shape(), y.shape());
  b.y_begin[axis + 5 - x.shape().rank()] = begin;
  copy(b, x, y);
}

Tensor joined(const std::vector<Tensor>& parts, const Shape& shape, int axis) {
  Tensor y = Tensor::empty(shape, parts[0].dtype(), parts[0].device());
  std::int64_t begin = 0;
  for (const Tensor& part : parts) {
    place(part, y, axis, begin);
    begin += part.shape()[axis];
  }
  return y;
}

/// x moved by `shift` voxels (positive: towards higher indices) into a volume of `size`; zeros where nothing lands.
Tensor moved(const Tensor& x, const Extents& shift, const Extents& size, bool covered) {
  const Shape y_shape{x.shape()[0], size[0], size[1], size[2], x.shape()[4]};
  Tensor y = covered ? Tensor::empty(y_shape, x.dtype(), x.device()) : Tensor::zeros(y_shape, x.dtype(), x.device());
  BlockCopy b = block(x.shape(), y_shape);
  for (int a = 0; a < 3; ++a) (shift[a] < 0 ? b.x_begin : b.y_begin)[a + 1] = std::abs(shift[a]);
  copy(b, x, y);
  return y;
}

Extents spatial(const Shape& s) { return {{s[1], s[2], s[3]}}; }
Extents negative(const Extents& e) { return {{-e[0], -e[1], -e[2]}}; }

void check_volume(const char* op, const Variable& x) {
  checks::defined(op, "x", x);
  checks::rank(op, "x", x.value(), 5, "[N, D, H, W, C]");
}

}  // namespace

Variable reshape(const Variable& x, const Shape& shape) {
  checks::defined("reshape", "x", x);
  autograd::Recipe again;
  if (x.has_recipe()) again = [x = x.saved(), shape] { return x.get().reshape(shape); };
  return record(
      "reshape", {x}, x.value().reshape(shape), [shape = x.shape()](Tensor dy) -> Gradients { return {dy.reshape(shape)}; },
      std::move(again));
}

Variable concat(const std::vector<Variable>& parts, int axis) {
  const char* op = "concat";
  const engine::OperationName name(op);
  engine::require<engine::UsageError>(!parts.empty(), "concat: needs at least one part");
  std::vector<Tensor> values;
  std::vector<std::int64_t> extents;
  std::vector<bool> wanted;
  bool recipes = false;
  std::int64_t total = 0;
  for (const Variable& part : parts) {
    checks::defined(op, "a part", part);
    const Shape& first = parts[0].shape();
    engine::require(first.rank() >= 1 && first.rank() <= 5, "concat: parts need 1 to 5 axes, got shape {}", first);
    if (values.empty()) axis = checks::axis(op, part.value(), axis);
    engine::require(part.shape().rank() == first.rank() && part.shape().with(axis, 1) == first.with(axis, 1),
                    "concat: parts of shapes {} and {} may differ only along axis {}", first, part.shape(), axis);
    checks::same_kind(op, "the first part", parts[0].value(), "another part", part.value());
    values.push_back(part.value());
    extents.push_back(part.shape()[axis]);
    wanted.push_back(recording(part));
    recipes = recipes || part.has_recipe();
    total += part.shape()[axis];
  }
  const Shape shape = parts[0].shape().with(axis, total);
  Tensor y = joined(values, shape, axis);
  autograd::Recipe again;  // pays as soon as one part need not be kept
  if (recipes) {
    std::vector<Saved> saved;
    for (const Variable& part : parts) saved.push_back(part.saved_activation());
    again = [saved, shape, axis] {
      std::vector<Tensor> made;
      for (const Saved& s : saved) made.push_back(s.get());
      return joined(made, shape, axis);
    };
  }
  return record(
      {op, axis}, parts, y,
      [extents, wanted, axis](Tensor dy) -> Gradients {
        Gradients gradients(extents.size());
        std::int64_t begin = 0;
        for (std::size_t i = 0; i < extents.size(); ++i) {
          if (wanted[i]) gradients[i] = cut(dy, dy.shape().with(axis, extents[i]), axis, begin);
          begin += extents[i];
        }
        return gradients;
      },
      std::move(again));
}

Variable slice(const Variable& x, int axis, std::int64_t begin, std::int64_t count) {
  const char* op = "slice";
  const engine::OperationName name(op);
  checks::defined(op, "x", x);
  engine::require(x.shape().rank() >= 1 && x.shape().rank() <= 5, "slice: x needs 1 to 5 axes, got shape {}", x.shape());
  axis = checks::axis(op, x.value(), axis);
  engine::require(begin >= 0 && count >= 0 && begin + count <= x.shape()[axis], "slice: [{}, {}) of axis {} of shape {}",
                  begin, begin + count, axis, x.shape());
  return record(op, {x}, cut(x.value(), x.shape().with(axis, count), axis, begin),
                [shape = x.shape(), axis, begin](Tensor dy) -> Gradients {
                  Tensor dx = Tensor::zeros(shape, dy.dtype(), dy.device());
                  place(dy, dx, axis, begin);
                  return {dx};
                });
}

Variable pad(const Variable& x, const Extents& before, const Extents& after) {
  const engine::OperationName name("pad");
  check_volume("pad", x);
  Extents size;
  for (int a = 0; a < 3; ++a) {
    engine::require(before[a] >= 0 && after[a] >= 0, "pad: {} before and {} after must not be negative", to_string(before),
                    to_string(after));
    size[a] = before[a] + x.shape()[a + 1] + after[a];
  }
  return record(
      "pad", {x}, moved(x.value(), before, size, size == spatial(x.shape())),
      [before, inner = spatial(x.shape())](Tensor dy) -> Gradients { return {moved(dy, negative(before), inner, true)}; });
}

Variable crop(const Variable& x, const Extents& begin, const Extents& size) {
  const engine::OperationName name("crop");
  check_volume("crop", x);
  for (int a = 0; a < 3; ++a)
    engine::require(begin[a] >= 0 && size[a] >= 0 && begin[a] + size[a] <= x.shape()[a + 1],
                    "crop: {} at {} does not fit into x of shape {}", to_string(size), to_string(begin), x.shape());
  return record("crop", {x}, moved(x.value(), negative(begin), size, true),
                [begin, outer = spatial(x.shape())](Tensor dy) -> Gradients {
                  return {moved(dy, begin, outer, spatial(dy.shape()) == outer)};
                });
}

Variable patches(const Variable& x, const Extents& grid) {
  const engine::OperationName name("patches");
  check_volume("patches", x);
  const Shape s = x.shape();
  for (int a = 0; a < 3; ++a)
    engine::require(grid[a] >= 1 && s[a + 1] % grid[a] == 0 && s[a + 1] > 0,
                    "patches: x of shape {} cannot be cut into {} equal patches", s, to_string(grid));
  Tensor y = Tensor::empty({s[0] * grid.volume(), s[1] / grid[0], s[2] / grid[1], s[3] / grid[2], s[4]}, x.value().dtype(),
                           x.value().device());
  backend(y.device()).patches(grid, false, x.value(), y);
  return record("patches", {x}, y, [grid, s](Tensor dy) -> Gradients {
    Tensor dx = Tensor::empty(s, dy.dtype(), dy.device());
    backend(dy.device()).patches(grid, true, dy, dx);
    return {dx};
  });
}

}  // namespace sagcl::ops
