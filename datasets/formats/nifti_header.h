#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "datasets/formats/numbers.h"
#include "datasets/volume.h"
#include "engine/shape.h"

namespace sagcl::datasets {

/// What a NIfTI-1 or NIfTI-2 header says (nifti1.h and nifti2.h of the NIfTI data format working group), checked.
struct NiftiHeader {
  static constexpr std::size_t most_bytes = 540;  ///< NIfTI-2; NIfTI-1 has 348

  engine::Shape shape;  ///< [D, H, W, C] = [nz, ny, nx, nt]
  NumberType type;
  std::size_t voxel_offset = 0;  ///< of the first voxel in the (inflated) file
  std::size_t data_bytes = 0;
  Scaling scaling;
  Geometry geometry;
  Remarks remarks;  ///< where the header contradicts itself
};

/// Bytes of the header that begins with these four: 348 or 540. DataError for others, which are no NIfTI file.
std::size_t nifti_header_bytes(std::string_view first_four, const std::string& name);

/// Reads a header and refuses, before anything is allocated, sizes that are negative, zero or overflow, unknown voxel types,
/// offsets inside the header and non-finite numbers. A slope of 0 or NaN means "not scaled". Affine: sform if its code is
/// positive and it spans a volume, else qform, else the voxel sizes alone: then the volume is not placed. DataError names
/// the file, the value and a remedy.
NiftiHeader parse_nifti_header(std::string_view bytes, const std::string& name);

/// The header for a volume [D, H, W, C] of u8 or f32 in the place of `geometry`, in the version and byte order of its
/// source. Orientation, voxel sizes, units and every note of the source header are kept bit for bit; only the extents'
/// channel count, the voxel type, the scaling, the display range, the intent and the offset are set. Without a source header
/// it is NIfTI-1: the affine of a placed volume becomes the sform, and the qform too where its axes are at right angles; of
/// another the voxel sizes alone are written, and both codes are 0. `swapped` says whether the voxels must follow in the
/// other byte order. ShapeError if the extents are not those of the source.
std::string build_nifti_header(const engine::Shape& shape, engine::Dtype dtype, const Geometry& geometry, bool& swapped);

}  // namespace sagcl::datasets
