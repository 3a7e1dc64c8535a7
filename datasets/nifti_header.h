#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "datasets/volume.h"
#include "engine/shape.h"

namespace sagcl::datasets {

/// What a NIfTI-1 header says (nifti1.h of the NIfTI data format working group), checked and in this machine's byte order.
struct NiftiHeader {
  static constexpr std::size_t bytes = 348;  ///< of the header itself
  static constexpr std::size_t first_voxel =
      352;  ///< where voxels may begin: header and four bytes that announce extensions

  bool swapped = false;  ///< the file has the other byte order
  engine::Shape shape;   ///< [D, H, W, C] = [nz, ny, nx, nt]
  int datatype = 0;      ///< NIfTI's code
  std::size_t voxel_bytes = 0;
  std::size_t voxel_offset = 0;     ///< of the first voxel in the (inflated) file
  double slope = 1, intercept = 0;  ///< value = slope * stored + intercept
  Geometry geometry;

  std::size_t data_bytes() const { return std::size_t(shape.size()) * voxel_bytes; }
};

/// Reads the first 348 bytes and refuses, before anything is allocated, sizes that are negative, zero or overflow, unknown
/// voxel types, offsets inside the header and non-finite numbers. A slope of 0 or NaN means "not scaled". Affine: sform if
/// its code is positive, else qform, else the voxel sizes alone. DataError names the file, the value and a remedy.
NiftiHeader parse_nifti_header(std::string_view bytes, const std::string& name);

/// The 348 bytes for a volume [D, H, W, C] of the given voxel type in the place of `geometry`. Orientation, voxel sizes,
/// units and every note of the source header are kept bit for bit; only the extents' channel count, the voxel type, the
/// scaling, the display range, the intent and the offset are set. Without a source header the affine becomes the sform.
/// ShapeError if the extents are not those of the source.
std::string build_nifti_header(const engine::Shape& shape, int datatype, std::size_t voxel_bytes, const Geometry& geometry);

/// True if the header, and so the voxels that follow it, is in the other byte order than this machine's.
bool nifti_is_swapped(std::string_view header);

}  // namespace sagcl::datasets
