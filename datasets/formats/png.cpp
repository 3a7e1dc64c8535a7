#include "datasets/formats/png.h"

#include <algorithm>
#include <memory>

#include "datasets/formats/gzip.h"
#include "datasets/formats/png_check.h"
#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"

// The decoder sees only files that check_png has passed, so its size limit is a second fence.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 100000000
#define STBI_NO_FAILURE_STRINGS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace sagcl::datasets {

using engine::DataError;
using engine::Dtype;
using engine::require;

namespace {

struct FreePixels {
  void operator()(void* p) const { stbi_image_free(p); }
};

/// Decodes to f32 [H, W, samples as decoded].
Tensor decode(std::string_view bytes, const PngInfo& info, const std::string& name) {
  int w = 0, h = 0, samples = 0;
  const auto* p = reinterpret_cast<const stbi_uc*>(bytes.data());
  require<DataError>(bytes.size() <= std::size_t(INT_MAX), "{}: has {} bytes, a PNG may have at most {}", name, bytes.size(),
                     INT_MAX);
  const std::unique_ptr<void, FreePixels> pixels(
      info.bits == 16 ? static_cast<void*>(stbi_load_16_from_memory(p, int(bytes.size()), &w, &h, &samples, 0))
                      : static_cast<void*>(stbi_load_from_memory(p, int(bytes.size()), &w, &h, &samples, 0)));
  require<DataError>(pixels != nullptr && w == info.width && h == info.height,
                     "{}: the PNG cannot be decoded; write it again with another program", name);
  Tensor t = Tensor::empty({h, w, samples});
  float* out = t.data<float>();
  const auto copy = [&](const auto* from) { std::copy(from, from + t.size(), out); };
  if (info.bits == 16) copy(static_cast<const stbi_us*>(pixels.get()));
  else copy(static_cast<const stbi_uc*>(pixels.get()));
  return t;
}

/// [H, W, from] -> [1, H, W, to], from 1..4, to 1 or 3; alpha (the second or fourth sample) is dropped.
Tensor with_channels(const Tensor& t, std::int64_t to) {
  const std::int64_t from = t.shape()[2], pixels = t.size() / from;
  Tensor out = Tensor::empty({1, t.shape()[0], t.shape()[1], to});
  const float* s = t.data<float>();
  float* d = out.data<float>();
  for (std::int64_t i = 0; i < pixels; ++i, s += from, d += to) {
    if (to == 3) d[0] = s[0], d[1] = s[from >= 3 ? 1 : 0], d[2] = s[from >= 3 ? 2 : 0];
    else d[0] = from >= 3 ? 0.299f * s[0] + 0.587f * s[1] + 0.114f * s[2] : s[0];
  }
  return out;
}

std::string chunk(const char* type, std::string_view data) {
  const auto number = [](std::size_t v) { return std::string{char(v >> 24), char(v >> 16), char(v >> 8), char(v)}; };
  const std::string body = type + std::string(data);
  return number(data.size()) + body + number(crc32_of(body));
}

std::string encode(const Tensor& pixels, std::int64_t samples, const std::vector<Colour>* palette) {
  const std::int64_t h = pixels.shape()[0], w = pixels.shape()[1], stride = w * samples;
  require(h >= 1 && w >= 1 && w <= max_png_pixels && h <= max_png_pixels / w, "a PNG has 1 to {} pixels, got {}",
          max_png_pixels, pixels.shape());
  std::string header;
  for (std::int64_t v : {w, h})
    for (int shift = 24; shift >= 0; shift -= 8) header += char(v >> shift);
  header += char(8);                                   // bits per sample
  header += char(palette ? 3 : samples == 3 ? 2 : 0);  // colour type
  header.append(3, '\0');                              // compression, filter method, no interlacing
  std::string rows;
  rows.reserve(std::size_t(h * (stride + 1)));
  const Tensor host = pixels.to(engine::Device::cpu());
  const char* p = static_cast<const char*>(host.bytes_begin());
  for (std::int64_t y = 0; y < h; ++y) {
    rows += '\0';  // filter: none
    rows.append(p + y * stride, std::size_t(stride));
  }
  std::string out(png_mark, 8);
  out += chunk("IHDR", header);
  if (palette) {
    std::string colours;
    for (const Colour& c : *palette) colours.append(reinterpret_cast<const char*>(c.data()), 3);
    out += chunk("PLTE", colours);
  }
  return out + chunk("IDAT", deflate_zlib(rows)) + chunk("IEND", {});
}

}  // namespace

Image decode_png(std::string_view bytes, const std::string& name, std::int64_t channels) {
  require<engine::UsageError>(channels == 0 || channels == 1 || channels == 3,
                              "a PNG is read with 1 or 3 channels, or 0 for the file's, got {}", channels);
  const PngInfo info = check_png(bytes, name);
  const Tensor t = decode(bytes, info, name);
  return {with_channels(t, channels ? channels : t.shape()[2] >= 3 ? 3 : 1), {}, info.bits == 16 ? 65535.0 : 255.0};
}

namespace {

/// StoredLabel::shown of a file: the grey of every stored value.
std::vector<double> greys_of(const PngParts& parts) {
  std::vector<double> shown;
  if (parts.info.palette)
    for (const Colour& c : parts.palette) shown.push_back(c[0] == c[1] && c[1] == c[2] ? double(c[0]) : -1);
  else if (parts.info.bits != 8)
    for (std::int64_t v = 0, most = (std::int64_t(1) << parts.info.bits) - 1; v <= most; ++v)
      shown.push_back(255.0 * double(v) / double(most));
  return shown;
}

}  // namespace

StoredLabel decode_png_label(std::string_view bytes, const std::string& name) {
  const PngInfo info = check_png(bytes, name);
  const PngParts parts = split_png(bytes, name);
  StoredLabel label{Tensor::empty({1, info.height, info.width}, Dtype::i32), {}, greys_of(parts)};
  std::int32_t* out = label.values.data<std::int32_t>();
  if (info.samples == 1 && info.bits <= 8 && !info.interlaced) {  // as stored: the decoder would stretch or colour them
    const std::vector<std::uint8_t> values = png_indices(parts, name);
    std::copy(values.begin(), values.end(), out);
    return label;
  }
  require<DataError>(!info.palette && info.bits >= 8,
                     "{}: an interlaced label with a palette or fewer than 8 bits is not read; save it without interlacing",
                     name);
  const Tensor t = decode(bytes, info, name);
  const std::int64_t samples = t.shape()[2];
  const float* s = t.data<float>();
  for (std::int64_t i = 0; i < label.values.size(); ++i, s += samples) {
    require<DataError>(
        samples < 3 || (s[0] == s[1] && s[1] == s[2]),
        "{}: the label has the colour ({}, {}, {}) at row {}, column {}; save classes as grey values or palette indices",
        name, s[0], samples < 3 ? s[0] : s[1], samples < 3 ? s[0] : s[2], i / info.width, i % info.width);
    out[i] = std::int32_t(s[0]);
  }
  return label;
}

Image read_png(const std::filesystem::path& file, std::int64_t channels) {
  return decode_png(engine::read_file(file), file.string(), channels);
}
StoredLabel read_png_label(const std::filesystem::path& file) {
  return decode_png_label(engine::read_file(file), file.string());
}

std::string encode_png(const Tensor& pixels) {
  const engine::Shape& s = pixels.shape();
  require(s.rank() == 2 || (s.rank() == 3 && s[2] == 3), "a PNG is written from [H, W] or [H, W, 3], got {}", s);
  require<engine::DtypeError>(pixels.dtype() == Dtype::u8, "a PNG is written from u8, got {}", pixels.dtype());
  return encode(pixels, s.rank() == 2 ? 1 : 3, nullptr);
}

std::string encode_png(const Tensor& indices, const std::vector<Colour>& palette) {
  require(indices.shape().rank() == 2, "a PNG with a palette is written from [H, W], got {}", indices.shape());
  require<engine::DtypeError>(indices.dtype() == Dtype::u8, "a PNG is written from u8, got {}", indices.dtype());
  require<DataError>(!palette.empty() && palette.size() <= 256, "a palette has 1 to 256 colours, got {}", palette.size());
  for (std::uint8_t v : indices.to_vector<std::uint8_t>())
    require<DataError>(v < palette.size(), "the palette of {} colours has none for index {}", palette.size(), v);
  return encode(indices, 1, &palette);
}

void write_png(const std::filesystem::path& file, const Tensor& pixels) {
  engine::write_file_atomically(file, encode_png(pixels));
}
void write_png(const std::filesystem::path& file, const Tensor& indices, const std::vector<Colour>& palette) {
  engine::write_file_atomically(file, encode_png(indices, palette));
}

}  // namespace sagcl::datasets
