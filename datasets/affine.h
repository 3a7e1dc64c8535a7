#pragma once
#include <array>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// Millimetres between voxels along D, H, W: the lengths of the third, second and first column.
std::array<double, 3> spacing_of(const Affine& m);

/// Determinant of the 3x3 part: a voxel's volume in mm^3, negative where the axes are left-handed.
double determinant_of(const Affine& m);

/// How far the voxel axes are from right angles: the largest |cosine| between two of them, 0 for a rotation.
double shear_of(const Affine& m);

/// The affine with its axes turned to right angles, changing the directions least (polar decomposition of the unit axes);
/// voxel sizes, mirroring and the place of the volume's centre, [D, H, W] of `shape`, stay.
Affine without_shear(const Affine& m, const engine::Shape& shape);

/// False for matrices that lay the voxels onto a plane, a line or a point, or that are not finite.
bool spans_volume(const Affine& m);

/// Largest distance in millimetres between where two affines place a corner of the volume [D, H, W, ...].
double corner_distance(const Affine& a, const Affine& b, const engine::Shape& shape);

/// How many voxels apart two volumes of one shape [D, H, W, ...] lie, at the corner where it is most; 0 where one of them
/// does not say where it lies. Of the places that a source gives, those that agree best count.
double voxels_apart(const Geometry& a, const Geometry& b, const engine::Shape& shape);

/// The rotation of an affine with axes at right angles as NIfTI's qform stores it: i, j, k parts of the unit quaternion with
/// a real part that is not negative, after the third axis was mirrored where the axes are left-handed.
struct Quaternion {
  std::array<double, 3> bcd;
  bool mirrored;
};
Quaternion quaternion_of(const Affine& m);

}  // namespace sagcl::datasets
