#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

namespace sagcl::engine {

/// The whole content; DataError if it cannot be read or is larger than `limit` bytes.
std::string read_file(const std::filesystem::path& file, std::size_t limit = std::size_t(1) << 34);

}  // namespace sagcl::engine
