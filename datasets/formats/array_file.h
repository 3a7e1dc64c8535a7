#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// A plain array, its extents in the order of the file's indices, as an image [D, H, W, C]:
/// two extents are a plane, three a volume indexed as `axes` says, four a volume with channels last.
/// DataError for other numbers of axes or an empty array.
Image image_of_array(Tensor array, Axes axes, const std::string& name);

/// Reads a NumPy file (.npy, versions 1 to 3): integers, real numbers and truth values of either byte order, C or Fortran
/// order. The declared size is checked against the file before anything is allocated. DataError names the file, the value
/// and a remedy; Python objects are refused.
Tensor read_npy(const std::filesystem::path& file);
Tensor decode_npy(std::string_view bytes, const std::string& name);

/// What stands before the numbers of a NumPy file, and a whole one.
std::string npy_header(const engine::Shape& shape, engine::Dtype dtype);
std::string encode_npy(const Tensor& array);

/// Reads one data set of an HDF5 file, e.g. "image" or "label": integers and real numbers, contiguous or in chunks, plain or
/// compressed by gzip. Links to other files, virtual and external storage and other filters are refused, as is a size that
/// the file cannot hold. DataError names the file, what it holds and a remedy.
Tensor read_hdf5(const std::filesystem::path& file, const std::string& dataset);
Tensor decode_hdf5(std::string_view bytes, const std::string& name, const std::string& dataset);

}  // namespace sagcl::datasets
