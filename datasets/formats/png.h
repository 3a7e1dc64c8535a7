#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/label_rule.h"

namespace sagcl::datasets {

/// What a PNG file declares (ISO/IEC 15948).
struct PngInfo {
  std::int64_t width = 0, height = 0;
  int bits = 8;     ///< per sample: 1, 2, 4, 8 or 16
  int samples = 1;  ///< per pixel as stored: 1 grey or palette index, 2 grey+alpha, 3 RGB, 4 RGBA
  bool palette = false, interlaced = false;
  bool is_grey() const { return samples <= 2 && !palette; }
};

using Colour = std::array<std::uint8_t, 3>;

constexpr std::int64_t max_png_pixels = 100'000'000;  ///< larger images are refused before anything is allocated

/// Checks the whole structure before any pixel is decoded: mark, chunk lengths and checksums, IHDR, a size within
/// max_png_pixels, and that the compressed data inflates to exactly the declared size. DataError names the file and the
/// value.
PngInfo check_png(std::string_view bytes, const std::string& name);

/// What a file declares at its begin, nothing else checked.
PngInfo read_png_info(const std::filesystem::path& file);

/// Reads an image, f32 [1, H, W, channels], channels 1 or 3, or 0 to keep the file's. Values are 0..255 (0..65535 for 16
/// bits; 1, 2 and 4 bits are stretched to 0..255). Alpha is dropped, palettes become their colours, grey to RGB repeats the
/// channel, RGB to grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). Image::white is 65535 for 16 bits, else 255.
Image read_png(const std::filesystem::path& file, std::int64_t channels = 0);
Image decode_png(std::string_view bytes, const std::string& name, std::int64_t channels = 0);

/// Reads stored label values, i32 [1, H, W]: grey values, palette indices, or RGB whose three channels are equal (others
/// are refused: a colour is not a class), and what a viewer shows for them.
StoredLabel read_png_label(const std::filesystem::path& file);
StoredLabel decode_png_label(std::string_view bytes, const std::string& name);

/// Writes u8 [H, W] as grey or u8 [H, W, 3] as RGB, 8 bits, atomically. Equal input gives equal bytes.
void write_png(const std::filesystem::path& file, const Tensor& pixels);
/// Writes u8 [H, W] as indices into a palette of at most 256 colours; an index without a colour is a DataError.
void write_png(const std::filesystem::path& file, const Tensor& indices, const std::vector<Colour>& palette);
std::string encode_png(const Tensor& pixels);
std::string encode_png(const Tensor& indices, const std::vector<Colour>& palette);

}  // namespace sagcl::datasets
