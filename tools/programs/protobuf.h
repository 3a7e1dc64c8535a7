#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sagcl::tools {

/// A message of Protocol Buffers while it is written (https://protobuf.dev/programming-guides/encoding). Fields stand in the
/// order of the calls; a field that is repeated is written once per element, which every reader understands.
class Message {
 public:
  void integer(int field, std::int64_t value);              ///< int32, int64, enum: a varint
  void real(int field, float value);                        ///< float: four bytes, little-endian
  void number(int field, double value);                     ///< double: eight bytes, little-endian
  void text(int field, std::string_view value);             ///< string, bytes: length and content
  void elements(int field, std::span<const float> values);  ///< bytes: the elements, little-endian
  void message(int field, const Message& value) { text(field, value.bytes_); }

  const std::string& bytes() const { return bytes_; }

 private:
  enum Wire : std::uint64_t { varint_wire = 0, eight_bytes_wire = 1, length_wire = 2, four_bytes_wire = 5 };
  void varint(std::uint64_t value);
  void four_bytes(float value);
  void key(int field, Wire wire) { varint(std::uint64_t(field) << 3 | wire); }
  std::string bytes_;
};

}  // namespace sagcl::tools
