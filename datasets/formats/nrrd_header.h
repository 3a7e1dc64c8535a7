#pragma once
#include <string>
#include <string_view>

#include "datasets/formats/numbers.h"
#include "datasets/volume.h"

namespace sagcl::datasets {

/// What a NRRD header says (the NRRD0001 to NRRD0005 format definition of Teem), checked.
struct NrrdHeader {
  std::size_t bytes = 0;  ///< of the header with the empty line that ends it
  engine::Shape shape;    ///< [D, H, W, C]
  NumberType type;
  ChannelPlace channels = ChannelPlace::fastest;
  bool gzip = false;
  std::int64_t line_skip = 0;  ///< lines of the data that are not numbers
  std::int64_t byte_skip = 0;  ///< bytes after them (of inflated data, if it is compressed); -1: all but the last
  std::string data_file;       ///< empty if the data follows the header
  Geometry geometry;
};

/// Refuses, before anything is allocated, missing or doubled fields, sizes that overflow, encodings other than raw and gzip
/// and axes without a direction in space. DataError names the file, the field and a remedy.
NrrdHeader parse_nrrd_header(std::string_view bytes, const std::string& name);

}  // namespace sagcl::datasets
