#include "tools/run/event_record.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sagcl::tools {
namespace {

// Numbers of the fields.
enum Event { wall_time = 1, step_field = 2, file_version = 3, summary = 5, session_log = 7 };
enum Session { status = 1, started = 1 };
enum Summary { value_field = 1 };
enum Value { tag_field = 1, simple_value = 2, image_field = 4, histogram_field = 5 };
enum Image { height_field = 1, width_field = 2, colours_field = 3, bytes_field = 4, colour_rgb = 3 };
enum Histogram { least = 1, largest = 2, count_field = 3, sum_field = 4, squares_field = 5, limit = 6, bucket = 7 };

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += char(value >> 8 * i);
  return text;
}

/// As TFRecord stores it: turned and shifted, so that a checksum of data with checksums inside stays one.
std::string masked(std::uint32_t crc) { return little_endian(((crc >> 15 | crc << 17) + 0xa282ead8u) & 0xffffffffu, 4); }

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t;
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0x82f63b78u : 0);  // the polynomial, mirrored
    }
    return t;
  }();
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ std::uint8_t(c)) & 255];
  return ~crc;
}

std::string event_record(std::string_view content) {
  const std::string length = little_endian(content.size(), 8);
  return length + masked(crc32c(length)) + std::string(content) + masked(crc32c(content));
}

std::string event_file_head(double time) {
  Message event;
  event.number(wall_time, time), event.text(file_version, "brain.Event:2");
  return event_record(event.bytes());
}

std::string session_start(std::int64_t step, double time) {
  Message session, event;
  session.integer(status, started);
  event.number(wall_time, time), event.integer(step_field, step), event.message(session_log, session);
  return event_record(event.bytes());
}

void EventSummary::scalar(const std::string& tag, double number) {
  if (!std::isfinite(number)) return;
  Message value;
  value.text(tag_field, tag), value.real(simple_value, float(number));
  all_.message(value_field, value);
}

void EventSummary::histogram(const std::string& tag, std::span<const double> values) {
  constexpr std::size_t parts = 40;
  double low = INFINITY, high = -INFINITY, count = 0, sum = 0, squares = 0;
  for (const double v : values)
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v), ++count, sum += v, squares += v * v;
  if (count == 0) return;
  const double width = high > low ? (high - low) / double(parts) : 1;
  std::array<double, parts> in_part{};
  for (const double v : values)
    if (std::isfinite(v)) ++in_part[std::min(std::size_t((v - low) / width), parts - 1)];
  Message h, value;
  h.number(least, low), h.number(largest, high), h.number(count_field, count);
  h.number(sum_field, sum), h.number(squares_field, squares);
  // A part reaches from the limit before to its own; the first has none before and begins with an empty part.
  h.number(limit, low);
  for (std::size_t i = 1; i <= parts; ++i) h.number(limit, low + double(i) * width);
  h.number(bucket, 0);
  for (const double n : in_part) h.number(bucket, n);
  value.text(tag_field, tag), value.message(histogram_field, h);
  all_.message(value_field, value);
}

void EventSummary::image(const std::string& tag, const std::string& png, std::int64_t height, std::int64_t width) {
  Message image, value;
  image.integer(height_field, height), image.integer(width_field, width), image.integer(colours_field, colour_rgb);
  image.text(bytes_field, png);
  value.text(tag_field, tag), value.message(image_field, image);
  all_.message(value_field, value);
}

std::string EventSummary::record(std::int64_t step, double time) const {
  if (all_.bytes().empty()) return "";
  Message event;
  event.number(wall_time, time), event.integer(step_field, step), event.message(summary, all_);
  return event_record(event.bytes());
}

}  // namespace sagcl::tools
