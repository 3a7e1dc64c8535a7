#pragma once
#include <cstdint>
#include <cstring>

#include "engine/host_device.h"

namespace sagcl::engine {

/// A number of 8 significant bits and the range of f32: the upper half of one. It is stored, not computed with: it widens
/// to f32 by itself and is made of one by rounding to the nearest, to even at the middle; a NaN stays one.
struct bf16 {
  std::uint16_t bits;

  bf16() = default;
  SAGCL_BOTH explicit bf16(float value) {
    std::uint32_t wide = 0;
    std::memcpy(&wide, &value, sizeof wide);
    const std::uint32_t rounded = wide + 0x7fffu + ((wide >> 16) & 1u);  // half of the last place, less a bit at even ones
    const bool nan = (wide & 0x7fffffffu) > 0x7f800000u;
    bits = std::uint16_t((nan ? wide | 0x400000u : rounded) >> 16);
  }
  SAGCL_BOTH operator float() const {
    const std::uint32_t wide = std::uint32_t(bits) << 16;
    float value = 0;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
};

}  // namespace sagcl::engine
