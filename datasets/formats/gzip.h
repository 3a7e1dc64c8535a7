#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace sagcl::datasets {

/// No deflate stream grows by more than this factor, so a file that claims more is lying (zlib's technical notes).
constexpr std::size_t max_inflate_ratio = 1032;

/// Reads a gzip file (also one of several members) or a bare zlib stream that is in memory, piece by piece, so that nothing
/// is allocated for what the stream merely promises. `name` is the file named in errors. All throw DataError.
class Inflater {
 public:
  enum class Kind { gzip, zlib };
  Inflater(std::string_view compressed, Kind kind, std::string name);
  ~Inflater();
  Inflater(const Inflater&) = delete;

  /// Fills up to n bytes and returns how many there were: fewer than n only at the end of the stream.
  std::size_t read(char* to, std::size_t n);
  /// As read(), but a stream that ends early is an error that says how many bytes of `what` were missing.
  void read_exactly(char* to, std::size_t n, std::string_view what);
  /// Runs to the end so that the checksum is verified; more than `slack` further bytes are an error, which ends with
  /// `remedy`.
  void finish(std::size_t slack, const char* remedy = "the header does not fit the data");

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A gzip file of these bytes, without name and time: equal input gives equal output.
std::string gzip(std::string_view bytes, int level = 6);
/// A zlib stream of these bytes, as PNG wants it.
std::string deflate_zlib(std::string_view bytes, int level = 6);
/// The CRC-32 of zlib, gzip and PNG.
std::uint32_t crc32_of(std::string_view bytes);

}  // namespace sagcl::datasets
