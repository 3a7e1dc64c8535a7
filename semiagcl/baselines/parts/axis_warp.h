#pragma once
#include <array>

#include "engine/extents.h"
#include "engine/random.h"
#include "engine/tensor.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// Linear interpolation along each spatial axis as a matrix [E,E]: y_i = Σ_j A_ij x_j, A_ij = max(0, 1 − |a (i − c) + b + c
/// − j|) with the axis' middle c: a zoom by 1/a and a shift by b voxels; zeros from outside. Undefined for an extent of 1.
using AxisMatrices = std::array<Tensor, 3>;

/// f32 [E,E]: i − c and j − c at row i and column j.
struct AxisGrid {
  Tensor row = {}, column = {};
};
AxisGrid axis_grid(std::int64_t extent, engine::Device device);

/// The matrix for a, b: f64 [1] on the grid's device.
Tensor axis_matrix(const AxisGrid& grid, const Tensor& a, const Tensor& b);

/// Draws warps of crops of these extents on the device: a in [0.8, 1.25), b up to a tenth of the extent either way.
class RandomAxisWarp {
 public:
  RandomAxisWarp(const engine::Extents& extents, engine::Device device);
  AxisMatrices draw(engine::Generator& random) const;
  void convert_to(engine::Dtype dtype);  ///< for gradient checks in f64

 private:
  std::array<AxisGrid, 3> grids_;
};

/// x [N,D,H,W,C], each image and channel warped alike.
Tensor warped(const Tensor& x, const AxisMatrices& matrices);

}  // namespace sagcl::semiagcl
