#pragma once
#include <string>
#include <string_view>

namespace sagcl::tools {

std::string escaped(std::string_view text);            ///< & < > " ' as entities, for text and attributes
std::string base64(std::string_view bytes);            ///< RFC 4648
std::string png_data_uri(std::string_view png_bytes);  ///< "data:image/png;base64,…"

/// A number for SVG: at most two decimals, no trailing zeros, never an exponent.
std::string coordinate(double value);

}  // namespace sagcl::tools
