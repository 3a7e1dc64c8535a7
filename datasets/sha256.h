#pragma once
#include <string>
#include <string_view>

namespace sagcl::datasets {

/// SHA-256 (FIPS 180-4) of the bytes, as 64 hexadecimal digits: how a split remembers the content of its files.
std::string sha256(std::string_view bytes);

}  // namespace sagcl::datasets
