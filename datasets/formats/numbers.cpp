#include "datasets/formats/numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "datasets/formats/gzip.h"

namespace sagcl::datasets {

namespace {

constexpr std::int64_t per_piece = 4096;

float to_f32(double value) {
  constexpr double largest = std::numeric_limits<float>::max();
  return std::abs(value) > largest ? std::copysign(std::numeric_limits<float>::infinity(), float(value > 0 ? 1 : -1))
                                   : float(value);  // a cast beyond the range would be undefined
}

template <class Stored>
double stored_at(const char* from, bool swapped) {
  return double(stored_number<Stored>(from, swapped));
}

using ReadNumber = double (*)(const char*, bool);

ReadNumber reader_of(NumberType t) {
  using Kind = NumberType::Kind;
  if (t.kind == Kind::real) return t.bytes == 4 ? stored_at<float> : stored_at<double>;
  const bool sign = t.kind == Kind::integer;
  switch (t.bytes) {
    case 1: return sign ? stored_at<std::int8_t> : stored_at<std::uint8_t>;
    case 2: return sign ? stored_at<std::int16_t> : stored_at<std::uint16_t>;
    case 4: return sign ? stored_at<std::int32_t> : stored_at<std::uint32_t>;
    default: return sign ? stored_at<std::int64_t> : stored_at<std::uint64_t>;
  }
}

}  // namespace

Tensor read_numbers(const std::function<void(char*, std::size_t)>& next, const engine::Shape& shape, NumberType type,
                    ChannelPlace place, Scaling scaling) {
  Tensor out = Tensor::empty(shape);
  const std::int64_t channels = place == ChannelPlace::slowest ? shape.back() : 1, voxels = out.size() / channels;
  const bool scaled = scaling.slope != 1 || scaling.intercept != 0;
  const ReadNumber read = reader_of(type);
  float* to = out.data<float>();
  char piece[8 * per_piece];
  std::int64_t channel = 0, voxel = 0;
  for (std::int64_t done = 0; done < out.size();) {
    const std::int64_t count = std::min(per_piece, out.size() - done);
    next(piece, std::size_t(count) * type.bytes);
    for (const char *p = piece, *end = piece + std::size_t(count) * type.bytes; p != end; p += type.bytes) {
      const double value = read(p, type.swapped);
      to[voxel * channels + channel] = to_f32(scaled ? value * scaling.slope + scaling.intercept : value);
      if (++voxel == voxels) voxel = 0, ++channel;
    }
    done += count;
  }
  return out;
}

bool big_endian_machine() { return std::endian::native == std::endian::big; }

std::size_t declared_bytes(const engine::Shape& shape, std::size_t number_bytes, const std::string& name) {
  std::int64_t total = std::int64_t(number_bytes);
  bool fits = true;
  for (std::int64_t extent : shape)
    fits = fits && !__builtin_mul_overflow(total, extent, &total) && total < (std::int64_t(1) << 40);
  engine::require<engine::DataError>(fits, "{}: the header declares {} voxels of {} bytes; the file is damaged", name, shape,
                                     number_bytes);
  return std::size_t(total);
}

void require_can_inflate(std::size_t compressed, std::size_t needed, const engine::Shape& shape, const std::string& name) {
  engine::require<engine::DataError>(
      needed / max_inflate_ratio <= compressed,
      "{}: the header declares {} voxels, {} bytes, more than {} compressed bytes can hold; copy "
      "or download the file again",
      name, shape, needed, compressed);
}

}  // namespace sagcl::datasets
