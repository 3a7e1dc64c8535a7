#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "datasets/formats/png.h"

namespace sagcl::datasets {

constexpr char png_mark[9] = "\x89PNG\r\n\x1a\n";

/// A checked PNG: what it declares and its concatenated IDAT chunks, still compressed.
struct PngParts {
  PngInfo info;
  std::string compressed;
  std::vector<Colour> palette = {};
};

/// Walks the chunks and checks everything but the compressed data. DataError as check_png.
PngParts split_png(std::string_view bytes, const std::string& name);

/// Bytes that the compressed data must inflate to: every row with its filter byte, for each of Adam7's seven images if
/// interlaced.
std::size_t png_raw_bytes(const PngInfo& info);

/// The samples of a non-interlaced file with one sample of at most 8 bits per pixel, unscaled: u8 values in row order.
std::vector<std::uint8_t> png_indices(const PngParts& parts, const std::string& name);

}  // namespace sagcl::datasets
