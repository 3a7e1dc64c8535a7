#include "datasets/affine.h"

#include <algorithm>
#include <cmath>

namespace sagcl::datasets {

namespace {

using Matrix = std::array<std::array<double, 3>, 3>;  // [row][column]

double length_of_column(const Affine& m, std::size_t j) { return std::hypot(m[j], m[4 + j], m[8 + j]); }

/// The axes of the voxels as unit columns.
Matrix unit_axes(const Affine& m) {
  Matrix r;
  for (std::size_t j = 0; j < 3; ++j)
    for (std::size_t i = 0; i < 3; ++i) r[i][j] = m[4 * i + j] / length_of_column(m, j);
  return r;
}

double determinant(const Matrix& r) {
  return r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) - r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0]) +
         r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
}

Matrix inverse_transposed(const Matrix& r) {
  const double d = determinant(r);
  Matrix out;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      const std::size_t i1 = (i + 1) % 3, i2 = (i + 2) % 3, j1 = (j + 1) % 3, j2 = (j + 2) % 3;
      out[i][j] = (r[i1][j1] * r[i2][j2] - r[i1][j2] * r[i2][j1]) / d;
    }
  return out;
}

std::array<double, 3> at(const Affine& m, const std::array<double, 3>& p) {
  std::array<double, 3> out;
  for (std::size_t i = 0; i < 3; ++i) out[i] = m[4 * i] * p[0] + m[4 * i + 1] * p[1] + m[4 * i + 2] * p[2] + m[4 * i + 3];
  return out;
}

}  // namespace

std::array<double, 3> spacing_of(const Affine& m) {
  return {length_of_column(m, 2), length_of_column(m, 1), length_of_column(m, 0)};
}

double determinant_of(const Affine& m) {
  return determinant({{{m[0], m[1], m[2]}, {m[4], m[5], m[6]}, {m[8], m[9], m[10]}}});
}

double shear_of(const Affine& m) {
  const Matrix r = unit_axes(m);
  double worst = 0;
  for (std::size_t j = 0; j < 3; ++j) {
    const std::size_t k = (j + 1) % 3;
    worst = std::max(worst, std::abs(r[0][j] * r[0][k] + r[1][j] * r[1][k] + r[2][j] * r[2][k]));
  }
  return worst;
}

Affine without_shear(const Affine& m, const engine::Shape& shape) {
  Matrix r = unit_axes(m);
  for (int step = 0; step < 60; ++step) {  // Newton's iteration for the orthogonal polar factor; quadratic at the end
    const Matrix t = inverse_transposed(r);
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j) r[i][j] = 0.5 * (r[i][j] + t[i][j]);
  }
  Affine out = m;
  for (std::size_t j = 0; j < 3; ++j)
    for (std::size_t i = 0; i < 3; ++i) out[4 * i + j] = r[i][j] * length_of_column(m, j);
  const std::array<double, 3> centre = {double(shape[2] - 1) / 2, double(shape[1] - 1) / 2, double(shape[0] - 1) / 2};
  const auto before = at(m, centre), after = at(out, centre);
  for (std::size_t i = 0; i < 3; ++i) out[4 * i + 3] += before[i] - after[i];
  return out;
}

double corner_distance(const Affine& a, const Affine& b, const engine::Shape& s) {
  double worst = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const std::array<double, 3> p = {corner & 1 ? double(s[2] - 1) : 0, corner & 2 ? double(s[1] - 1) : 0,
                                     corner & 4 ? double(s[0] - 1) : 0};
    const auto x = at(a, p), y = at(b, p);
    const double distance = std::hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]);
    if (!(distance <= worst)) worst = distance;  // also what is not a number
  }
  return worst;
}

bool spans_volume(const Affine& m) {
  const auto [d, h, w] = spacing_of(m);
  const double box = d * h * w;
  return std::isfinite(box) && box > 0 && std::abs(determinant_of(m)) > 1e-6 * box;
}

double voxels_apart(const Geometry& a, const Geometry& b, const engine::Shape& shape) {
  if (!a.placed || !b.placed) return 0;
  double least = corner_distance(a.affine, b.affine, shape);
  if (a.other) least = std::min(least, corner_distance(*a.other, b.affine, shape));
  if (b.other) least = std::min(least, corner_distance(a.affine, *b.other, shape));
  return least / *std::min_element(a.spacing.begin(), a.spacing.end());
}

Quaternion quaternion_of(const Affine& m) {
  Matrix r = unit_axes(m);
  const bool mirrored = determinant(r) < 0;
  if (mirrored)
    for (auto& row : r) row[2] = -row[2];
  // Of the four ways to write it, the one that divides by the largest component.
  const double trace = r[0][0] + r[1][1] + r[2][2];
  double q[4];
  if (trace > 0) {
    const double s = 2 * std::sqrt(1 + trace);
    q[0] = s / 4, q[1] = (r[2][1] - r[1][2]) / s, q[2] = (r[0][2] - r[2][0]) / s, q[3] = (r[1][0] - r[0][1]) / s;
  } else {
    const std::size_t i = r[0][0] >= r[1][1] && r[0][0] >= r[2][2] ? 0
                          : r[1][1] >= r[2][2]                     ? 1
                                                                   : 2,
                      j = (i + 1) % 3, k = (i + 2) % 3;
    const double s = 2 * std::sqrt(std::max(0.0, 1 + r[i][i] - r[j][j] - r[k][k]));
    q[0] = (r[k][j] - r[j][k]) / s;
    q[i + 1] = s / 4, q[j + 1] = (r[j][i] + r[i][j]) / s, q[k + 1] = (r[k][i] + r[i][k]) / s;
  }
  const double sign = q[0] < 0 ? -1 : 1;
  return {{sign * q[1], sign * q[2], sign * q[3]}, mirrored};
}

}  // namespace sagcl::datasets
