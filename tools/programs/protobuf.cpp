#include "tools/programs/protobuf.h"

#include <bit>

namespace sagcl::tools {

/// Seven bits a byte, the lowest first; the eighth says that more follow.
void Message::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_ += char(value | 0x80);
  bytes_ += char(value);
}

void Message::integer(int field, std::int64_t value) {
  key(field, varint_wire);
  varint(std::uint64_t(value));  // a negative one takes ten bytes
}

void Message::four_bytes(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) bytes_ += char(bits >> shift);
}

void Message::real(int field, float value) {
  key(field, four_bytes_wire);
  four_bytes(value);
}

void Message::number(int field, double value) {
  key(field, eight_bytes_wire);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (int shift = 0; shift < 64; shift += 8) bytes_ += char(bits >> shift);
}

void Message::text(int field, std::string_view value) {
  key(field, length_wire);
  varint(value.size());
  bytes_ += value;
}

void Message::elements(int field, std::span<const float> values) {
  key(field, length_wire);
  varint(values.size_bytes());
  for (float value : values) four_bytes(value);
}

}  // namespace sagcl::tools
