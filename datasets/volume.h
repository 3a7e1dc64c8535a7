#pragma once
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::datasets {

using engine::Tensor;

// Axis order, decided once: a NIfTI volume (x, y, z), x fastest on disk, is the tensor [D = z, H = y, W = x]. No voxel
// moves in memory when a file is read or written; every extent, crop and flip of a preset is given as D, H, W.

/// Row-major 4x4, voxel index (x, y, z, 1) -> millimetres to the patient's right-to-left, posterior-to-anterior,
/// foot-to-head (RAS). Note the index order: x = W, y = H, z = D.
using Affine = std::array<double, 16>;

/// Where the voxels of a volume lie in the patient, and what is needed to give that back unchanged.
struct Geometry {
  Affine affine = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  std::optional<Affine> other;                ///< a second place that the source gives: NIfTI's qform beside another sform
  std::array<double, 3> spacing = {1, 1, 1};  ///< millimetres between voxels along D, H, W; by the affine where placed
  /// The source says where it lies; false for PNG, HDF5 and .npy, which cannot, and for headers that do not.
  bool placed = false;
  bool measured = false;     ///< the source is of a format that says how large voxels are: NIfTI, NRRD
  std::string nifti_header;  ///< the 348 or 540 bytes of the source's NIfTI header as they were; empty for other sources
};

/// What somebody should know about a file that was understood nevertheless, a sentence each, without its name.
using Remarks = std::vector<std::string>;

/// An image: f32 [D, H, W, C], an image of a plane has D = 1.
struct Image {
  Tensor voxels;
  Geometry geometry;
  double white = 255;  ///< the value that stands for white: 65535 in a PNG of 16 bits
  Remarks remarks = {};
};

/// The value of a voxel that nobody annotated, in tensors of classes: neither learnt nor scored.
inline constexpr std::uint8_t not_annotated = 255;

/// A segmentation: u8 [D, H, W], class indices with 0 = background, or not_annotated.
struct Label {
  Tensor classes;
  Geometry geometry;
  Remarks remarks = {};
};

/// How the array of a file without geometry (HDF5, .npy) is indexed: [z][y][x], as most programs write it, or [x][y][z].
enum class Axes { zyx, xyz };

/// One case of a data set, not loaded: which files it has and whose it is.
struct Case {
  std::string id;                             ///< unique, usable as a file name, UTF-8
  std::string patient;                        ///< cases of one patient never fall into different parts of a split
  std::vector<std::filesystem::path> images;  ///< one file per channel, or one file with all channels
  std::filesystem::path label;                ///< empty for an unlabelled case; an HDF5 file may hold image and label
  Axes axes = Axes::zyx;
  bool has_label() const { return !label.empty(); }
};

}  // namespace sagcl::datasets
