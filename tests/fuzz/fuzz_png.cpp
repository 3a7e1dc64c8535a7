#include <algorithm>

#include "datasets/formats/gzip.h"
#include "datasets/formats/png.h"
#include "datasets/formats/png_check.h"

using namespace sagcl;

namespace {

std::string number(std::uint32_t v) { return {char(v >> 24), char(v >> 16), char(v >> 8), char(v)}; }
std::string chunk(const std::string& type, const std::string& data) {
  return number(std::uint32_t(data.size())) + type + data + number(datasets::crc32_of(type + data));
}

void read(std::string_view bytes) {
  for (int channels : {0, 1, 3}) {
    try {
      datasets::decode_png(bytes, "fuzzed", channels);
    } catch (const engine::DataError&) { break; }
  }
  for (const char* rule : {"", "cut:128", "0:0,255:1", "instances"}) {
    try {
      datasets::apply_rule(datasets::parse_label_rule(rule), datasets::decode_png_label(bytes, "fuzzed"), 2, "fuzzed");
    } catch (const engine::DataError&) {}
  }
}

/// The same chunks with the checksums they should have.
std::string repaired(std::string_view bytes) {
  std::string out(bytes);
  for (std::size_t at = 8; at + 12 <= out.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | std::uint8_t(out[at + i]);
    if (length > out.size() - at - 12) break;
    out.replace(at + 8 + length, 4, number(datasets::crc32_of(std::string_view(out).substr(at + 4, length + 4))));
    at += length + 12;
  }
  return out;
}

/// A file whose declared size, depth and colours come from five bytes and whose rows (padded or cut to fit) from the rest.
std::string built(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return std::uint8_t(bytes[i]); };
  constexpr int colours[] = {0, 2, 3, 4, 6}, depths[] = {1, 2, 4, 8, 16};
  const int colour = colours[byte(3) % 5], depth = depths[byte(4) % 5];
  const std::uint32_t width = byte(1) % 64u + 1, height = byte(2) % 64u + 1;
  const bool interlaced = byte(3) & 128;
  const int samples = colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1;
  datasets::PngInfo info{width, height, depth, samples, colour == 3, interlaced};
  std::string rows(bytes.substr(5));
  rows.resize(datasets::png_raw_bytes(info), '\0');
  std::string out(datasets::png_mark, 8);
  out +=
      chunk("IHDR", number(width) + number(height) + char(depth) + char(colour) + std::string(2, '\0') + char(interlaced));
  if (colour == 3) out += chunk("PLTE", std::string(3 * (byte(4) / 5 % 64u + 1), char(77)));
  if (byte(4) & 128) out += chunk("tRNS", std::string(bytes.substr(5, 6)));
  return out + chunk("IDAT", datasets::deflate_zlib(rows, 1)) + chunk("IEND", "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (size > 5 && bytes[0] == 'B') read(built(bytes));
  else {
    read(bytes);
    read(repaired(bytes));
  }
  return 0;
}
