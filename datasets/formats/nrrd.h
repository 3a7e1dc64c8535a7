#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "datasets/volume.h"

namespace sagcl::datasets {

/// Reads .nrrd, or .nhdr with its data file beside it: integers and real numbers of 8 to 64 bits, raw or gzip, planes,
/// volumes, and one further axis of channels (the first or the last). "space directions" and "space origin" become the
/// affine; left-posterior-superior and left-anterior-superior are turned to RAS. Sizes are checked against the file before
/// anything is allocated. Values: f32 [D, H, W, C]. DataError names the file, the field that is wrong and a remedy.
Image read_nrrd(const std::filesystem::path& file);

/// The same from the bytes of a file; `detached` gives the bytes of the data file that a header names.
using DetachedData = std::function<std::string(const std::string&)>;
Image decode_nrrd(std::string_view bytes, const std::string& name, const DetachedData& detached);

}  // namespace sagcl::datasets
