#include "semiagcl/baselines/parts/axis_warp.h"

#include <vector>

#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/selection.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Dtype;

namespace {

constexpr double least_scale = 0.8, most_scale = 1.25, most_shift = 0.1;

/// x [outer, E, inner] from the left.
Tensor from_left(const Tensor& x, const Tensor& matrix) {
  const std::int64_t outer = x.shape()[0], E = matrix.shape()[0];
  const Variable copies =
      ops::matmul(Variable(Tensor::full({outer, 1}, 1, x.dtype(), x.device())), Variable(matrix.reshape({1, E * E})));
  return ops::matmul(ops::reshape(copies, {outer, E, E}), Variable(x)).value();
}

/// The last of the spatial axes, channel by channel: so many copies of a matrix would not fit.
Tensor from_right(const Tensor& x, const Tensor& matrix) {
  const engine::Shape& s = x.shape();
  std::vector<Variable> channels;
  for (std::int64_t c = 0; c < s[4]; ++c) {
    const Variable rows = ops::reshape(ops::slice(Variable(x), -1, c, 1), {s[0] * s[1] * s[2], s[3]});
    channels.push_back(ops::reshape(ops::matmul(rows, Variable(matrix), {.transpose_b = true}), s.with(4, 1)));
  }
  return ops::concat(channels, -1).value();
}

}  // namespace

Tensor axis_matrix(const AxisGrid& grid, const Tensor& a, const Tensor& b) {
  const Variable one(Tensor::full(grid.row.shape(), 1, grid.row.dtype(), grid.row.device()));
  const Variable apart =
      ops::subtract(ops::add(ops::scale(Variable(grid.row), a), ops::scale(one, b)), Variable(grid.column));
  const Variable distance = ops::add(ops::relu(apart), ops::relu(ops::scale(apart, -1)));
  return ops::relu(ops::subtract(one, distance)).value();
}

AxisGrid axis_grid(std::int64_t extent, engine::Device device) {
  std::vector<float> row, column;
  for (std::int64_t i = 0; i < extent; ++i)
    for (std::int64_t j = 0; j < extent; ++j) {
      row.push_back(float(i) - 0.5f * float(extent - 1));
      column.push_back(float(j) - 0.5f * float(extent - 1));
    }
  return {Tensor::of({extent, extent}, row).to(device), Tensor::of({extent, extent}, column).to(device)};
}

RandomAxisWarp::RandomAxisWarp(const engine::Extents& extents, engine::Device device) {
  for (int axis = 0; axis < 3; ++axis)
    if (extents[axis] > 1) grids_[std::size_t(axis)] = axis_grid(extents[axis], device);
}

void RandomAxisWarp::convert_to(Dtype dtype) {
  for (AxisGrid& grid : grids_)
    if (grid.row.defined()) grid = {grid.row.to(dtype), grid.column.to(dtype)};
}

AxisMatrices RandomAxisWarp::draw(engine::Generator& random) const {
  AxisMatrices matrices;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const Tensor& row = grids_[axis].row;
    if (!row.defined()) continue;
    const auto number = [&](double low, double high) {
      return ops::uniform_like(Tensor::empty({1}, Dtype::f64, row.device()), random.next_key(), low, high);
    };
    const Tensor a = number(least_scale, most_scale);
    const double most = most_shift * double(row.shape()[0]);
    matrices[axis] = axis_matrix(grids_[axis], a, number(-most, most));
  }
  return matrices;
}

Tensor warped(const Tensor& x, const AxisMatrices& matrices) {
  const engine::Shape s = x.shape();
  Tensor y = x;
  if (matrices[0].defined()) y = from_left(y.reshape({s[0], s[1], s[2] * s[3] * s[4]}), matrices[0]).reshape(s);
  if (matrices[1].defined()) y = from_left(y.reshape({s[0] * s[1], s[2], s[3] * s[4]}), matrices[1]).reshape(s);
  return matrices[2].defined() ? from_right(y, matrices[2]) : y;
}

}  // namespace sagcl::semiagcl
