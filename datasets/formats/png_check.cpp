#include "datasets/formats/png_check.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "datasets/formats/gzip.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;

namespace {

std::uint32_t big_endian(std::string_view b) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i) v = v << 8 | std::uint8_t(b[i]);
  return v;
}

PngInfo parse_ihdr(std::string_view d, std::size_t file_bytes, const std::string& name) {
  require<DataError>(d.size() == 13, "{}: the PNG's IHDR has {} bytes instead of 13; the file is damaged", name, d.size());
  PngInfo info;
  info.width = big_endian(d), info.height = big_endian(d.substr(4));
  require<DataError>(
      info.width >= 1 && info.height >= 1 && info.width <= max_png_pixels && info.height <= max_png_pixels / info.width,
      "{}: the PNG declares {} x {} pixels, allowed are 1 to {} in all; cut the image into tiles", name, info.width,
      info.height, max_png_pixels);
  const int colour = std::uint8_t(d[9]);
  info.bits = std::uint8_t(d[8]);
  info.palette = colour == 3, info.interlaced = d[12] == 1;
  const bool one_sample = colour == 0 || colour == 3;
  const bool depth_ok = info.bits == 8 || (info.bits == 16 && colour != 3) ||
                        (one_sample && (info.bits == 1 || info.bits == 2 || info.bits == 4));
  require<DataError>((one_sample || colour == 2 || colour == 4 || colour == 6) && depth_ok,
                     "{}: the PNG has colour type {} with {} bits, which does not exist", name, colour, info.bits);
  require<DataError>(d[10] == 0 && d[11] == 0 && (d[12] == 0 || d[12] == 1),
                     "{}: the PNG uses an unknown compression, filter or interlacing", name);
  info.samples = one_sample ? 1 : colour == 2 ? 3 : colour == 4 ? 2 : 4;
  require<DataError>(png_raw_bytes(info) / max_inflate_ratio <= file_bytes,
                     "{}: the PNG declares {} x {} pixels, more than {} bytes can hold", name, info.width, info.height,
                     file_bytes);
  return info;
}

std::size_t raw_bytes(const PngInfo& info, std::size_t width, std::size_t height) {
  if (width == 0 || height == 0) return 0;
  return height * (1 + (width * std::size_t(info.bits * info.samples) + 7) / 8);
}

/// Undoes one row's filter (PNG 9.2) where a pixel has at most one byte, so "left" is the byte before.
void unfilter(std::uint8_t* row, const std::uint8_t* above, std::size_t n, int filter, const std::string& name) {
  for (std::size_t i = 0; i < n; ++i) {
    const int left = i ? row[i - 1] : 0, up = above ? above[i] : 0, corner = above && i ? above[i - 1] : 0;
    int guess = 0;
    switch (filter) {
      case 0: break;
      case 1: guess = left; break;
      case 2: guess = up; break;
      case 3: guess = (left + up) / 2; break;
      case 4: {
        const int p = left + up - corner, a = std::abs(p - left), b = std::abs(p - up), c = std::abs(p - corner);
        guess = a <= b && a <= c ? left : b <= c ? up : corner;
        break;
      }
      default: fail<DataError>("{}: the PNG has a row with filter {}, 0 to 4 exist; the file is damaged", name, filter);
    }
    row[i] = std::uint8_t(row[i] + guess);
  }
}

}  // namespace

std::size_t png_raw_bytes(const PngInfo& info) {
  const std::size_t w = std::size_t(info.width), h = std::size_t(info.height);
  if (!info.interlaced) return raw_bytes(info, w, h);
  constexpr std::size_t x0[] = {0, 4, 0, 2, 0, 1, 0}, y0[] = {0, 0, 4, 0, 2, 0, 1}, dx[] = {8, 8, 4, 4, 2, 2, 1},
                        dy[] = {8, 8, 8, 4, 4, 2, 2};
  std::size_t total = 0;
  for (int p = 0; p < 7; ++p) total += raw_bytes(info, (w + dx[p] - 1 - x0[p]) / dx[p], (h + dy[p] - 1 - y0[p]) / dy[p]);
  return total;
}

PngParts split_png(std::string_view bytes, const std::string& name) {
  require<DataError>(bytes.substr(0, 8) == std::string_view(png_mark, 8), "{}: is not a PNG file; convert it to PNG", name);
  PngParts parts;
  bool first = true, ended = false, data_over = false;
  for (std::size_t at = 8; !ended;) {
    require<DataError>(bytes.size() - at >= 12,
                       "{}: the PNG ends at byte {} without its end mark (truncated file); copy or download it again", name,
                       bytes.size());
    const std::size_t length = big_endian(bytes.substr(at));
    require<DataError>(length <= bytes.size() - at - 12,
                       "{}: the PNG's chunk at byte {} declares {} bytes, {} follow; copy or download the file again", name,
                       at, length, bytes.size() - at - 12);
    const std::string_view type = bytes.substr(at + 4, 4), data = bytes.substr(at + 8, length);
    require<DataError>(crc32_of(bytes.substr(at + 4, length + 4)) == big_endian(bytes.substr(at + 8 + length)),
                       "{}: the PNG's chunk at byte {} has a wrong checksum; copy or download the file again", name, at);
    require<DataError>(first == (type == "IHDR"), "{}: the PNG must have one IHDR chunk, at the start", name);
    if (first) parts.info = parse_ihdr(data, bytes.size(), name);
    else if (type == "IDAT") {
      require<DataError>(!data_over, "{}: the PNG's data chunks are not consecutive; the file is damaged", name);
      parts.compressed += data;
    } else {
      data_over = data_over || !parts.compressed.empty();
      if (type == "PLTE")
        for (std::size_t i = 0; i + 3 <= data.size() && parts.palette.size() < 256; i += 3)
          parts.palette.push_back({std::uint8_t(data[i]), std::uint8_t(data[i + 1]), std::uint8_t(data[i + 2])});
      ended = type == "IEND";
      require<DataError>(ended || type == "PLTE" || (type[0] & 0x20), "{}: the PNG has an unknown critical chunk at byte {}",
                         name, at);
    }
    first = false;
    at += length + 12;
  }
  require<DataError>(!parts.compressed.empty(), "{}: the PNG has no image data", name);
  require<DataError>(!parts.info.palette || !parts.palette.empty(), "{}: the PNG's palette is missing", name);
  return parts;
}

PngInfo read_png_info(const std::filesystem::path& file) {
  const std::string name = file.string();
  std::ifstream in(file, std::ios::binary);
  char begin[33];  // the mark and the IHDR chunk with its length and checksum
  require<engine::IoError>(in.good(), "{}: cannot be opened; check its permissions", name);
  in.read(begin, sizeof begin);
  const std::string_view bytes(begin, std::size_t(in.gcount()));
  require<DataError>(bytes.substr(0, 8) == std::string_view(png_mark, 8), "{}: is not a PNG file; convert it to PNG", name);
  require<DataError>(bytes.size() == sizeof begin && bytes.substr(12, 4) == "IHDR",
                     "{}: the PNG must have one IHDR chunk, at the start", name);
  return parse_ihdr(bytes.substr(16, 13), std::size_t(std::filesystem::file_size(file)), name);
}

PngInfo check_png(std::string_view bytes, const std::string& name) {
  const PngParts parts = split_png(bytes, name);
  Inflater in(parts.compressed, Inflater::Kind::zlib, name);
  char buffer[16384];
  for (std::size_t left = png_raw_bytes(parts.info); left > 0;) {
    const std::size_t n = std::min(left, sizeof buffer);
    in.read_exactly(buffer, n, "the PNG's image");
    left -= n;
  }
  in.finish(0);
  return parts.info;
}

std::vector<std::uint8_t> png_indices(const PngParts& parts, const std::string& name) {
  const PngInfo& info = parts.info;
  const std::size_t w = std::size_t(info.width), h = std::size_t(info.height), bits = std::size_t(info.bits),
                    stride = (w * bits + 7) / 8;
  Inflater in(parts.compressed, Inflater::Kind::zlib, name);
  std::vector<std::uint8_t> rows(2 * stride), values(w * h);
  std::uint8_t *row = rows.data(), *above = nullptr;
  for (std::size_t y = 0; y < h; ++y) {
    char filter = 0;
    in.read_exactly(&filter, 1, "the PNG's image");
    in.read_exactly(reinterpret_cast<char*>(row), stride, "the PNG's image");
    unfilter(row, above, stride, std::uint8_t(filter), name);
    for (std::size_t x = 0; x < w; ++x) {
      const std::size_t bit = x * bits;
      values[y * w + x] = std::uint8_t(row[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1));
    }
    above = row;
    row = rows.data() + (row == rows.data() ? stride : 0);
  }
  in.finish(0);
  return values;
}

}  // namespace sagcl::datasets
