#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "engine/shape.h"

namespace sagcl::datasets {

constexpr int most_axes = 4;  ///< that an array is read with

/// One data set of an HDF5 file: its extents and its values in row-major order, converted to f32.
struct Hdf5Array {
  engine::Shape shape;
  std::vector<float> values;
};

/// The only entry of the plugin libsagcl_hdf5.so, `extern "C" sagcl_plugin_read_hdf5`: reads `dataset` from the bytes of a
/// file. DataError as decode_hdf5; a damaged file may bring the process down, so it is called in a child.
using ReadHdf5 = void (*)(std::string_view bytes, const std::string& name, const std::string& dataset, Hdf5Array& out);

}  // namespace sagcl::datasets
