#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// Reads .nii or .nii.gz: NIfTI-1 or NIfTI-2 of either byte order, integers and real numbers of 8 to 64 bits, scaled by the
/// header's slope and intercept, planes, volumes and volumes with channels (the fourth axis). The declared size is checked
/// against the file before anything is allocated, and a gzip file's checksum is verified. Values: f32 [D, H, W, C].
/// DataError names the file, the value that is wrong and a remedy.
Image read_nifti(const std::filesystem::path& file);

/// The same from the bytes of a file; compressed or not is seen from the first two. `name` is used in errors.
Image decode_nifti(std::string_view bytes, const std::string& name);

/// Writes a mask, u8 [D, H, W], or an image, f32 [D, H, W] or [D, H, W, C], in the place of `geometry`, with its
/// orientation, voxel sizes and units bit for bit; atomically, gzipped if the name ends in .gz. Equal input gives equal
/// bytes. ShapeError if the extents are not the source's, DataError if the file cannot be written.
void write_nifti(const std::filesystem::path& file, const Tensor& values, const Geometry& geometry);

/// What write_nifti puts into an uncompressed file.
std::string encode_nifti(const Tensor& values, const Geometry& geometry);

}  // namespace sagcl::datasets
