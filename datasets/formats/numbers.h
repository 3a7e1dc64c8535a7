#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>

#include "engine/tensor.h"

namespace sagcl::datasets {

using engine::Tensor;

/// How a number lies in a file.
struct NumberType {
  enum class Kind { integer, natural, real };  ///< signed, unsigned, IEEE 754
  Kind kind = Kind::real;
  std::size_t bytes = 4;  ///< 1, 2, 4 or 8; real numbers 4 or 8
  bool swapped = false;   ///< the other byte order than this machine's
};

/// The number of type T at `from`, which need not be aligned, in this machine's byte order or the other.
template <class T>
T stored_number(const char* from, bool swapped) {
  char raw[sizeof(T)];
  std::memcpy(raw, from, sizeof raw);
  if (swapped) std::reverse(raw, raw + sizeof raw);
  T value;
  std::memcpy(&value, raw, sizeof raw);
  return value;
}

/// What is stored means slope * stored + intercept.
struct Scaling {
  double slope = 1, intercept = 0;
};

/// Voxels of [D, H, W, C] that a file stores in the order of the tensor, or with the channel as its slowest axis.
enum class ChannelPlace { fastest, slowest };

/// Fills f32 [D, H, W, C] from numbers that `next(to, n)` gives n bytes at a time, so that memory is touched only for what a
/// compressed stream really holds; `next` throws where the data ends. Beyond f32's range a value becomes infinite, and is
/// refused where cases are loaded.
Tensor read_numbers(const std::function<void(char*, std::size_t)>& next, const engine::Shape& shape, NumberType type,
                    ChannelPlace channels = ChannelPlace::fastest, Scaling scaling = {});

/// True if the machine that runs this stores the most significant byte first.
bool big_endian_machine();

/// Bytes of the numbers that a file of `name` declares; DataError from 2^40 bytes on, which no image has.
std::size_t declared_bytes(const engine::Shape& shape, std::size_t number_bytes, const std::string& name);

/// DataError if a compressed stream of `compressed` bytes cannot hold `needed` bytes.
void require_can_inflate(std::size_t compressed, std::size_t needed, const engine::Shape& shape, const std::string& name);

}  // namespace sagcl::datasets
