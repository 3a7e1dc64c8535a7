#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "datasets/volume.h"

/// How the axes of the voxels lie in the patient. A network sees axes, not patients: images that lie otherwise than those it
/// learnt from are turned images to it.
namespace sagcl::datasets {

using engine::Shape;

/// "RAS" if the axes x, y, z (W, H, D) grow to the patient's right, to the front and to the head; else letters of R or L, A
/// or P, S or I in the axes' order. Of oblique axes the nearest directions.
std::string orientation_of(const Affine& m);

/// UsageError, beginning with `option`, unless the code names every direction of the patient once.
void check_orientation(const std::string& code, const std::string& option);

/// Voxels, [D, H, W] or [D, H, W, C] of any type, with their axes exchanged and mirrored so that they lie as `code` says; no
/// value changes. The affine of the geometry follows, and its header is forgotten, since it is another's now.
Tensor reoriented(const Tensor& voxels, Geometry& geometry, const std::string& code);

/// Extents [D, H, W, ...] and geometry that `reoriented` gives a volume of this shape.
std::pair<Shape, Geometry> place_reoriented(const Shape& shape, const Geometry& geometry, const std::string& code);

/// Which cases lie how, of those that say where they lie.
class Orientations {
 public:
  void add(const std::string& id, const Geometry& geometry);
  bool differ() const { return cases_.size() > 1; }
  std::string common() const { return cases_.size() == 1 ? cases_.begin()->first : ""; }  ///< of all; empty: there is none
  std::string text() const;     ///< "RAS in 7 cases, LPI in c08, PSR in c07": the most frequent first
  std::string warning() const;  ///< where they differ: what that means, text() and the remedy

 private:
  std::map<std::string, std::vector<std::string>> cases_;  // by orientation
};

}  // namespace sagcl::datasets
