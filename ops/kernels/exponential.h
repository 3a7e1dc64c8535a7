#pragma once
#include <cmath>
#include <cstring>

#include "engine/host_device.h"

/// e^x and ln x in single precision by polynomials: the same arithmetic on every device, without branches or tables, so
/// that a compiler can do many at once. Errors stay below two units in the last place. Double precision takes the
/// library's functions. The coefficients are Chebyshev fits of the smooth quotients named beside them.
namespace sagcl::ops::kernels {

SAGCL_BOTH inline float float_of_bits(std::uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}
SAGCL_BOTH inline std::uint32_t bits_of(float f) {
  std::uint32_t bits;
  std::memcpy(&bits, &f, sizeof f);
  return bits;
}

/// e^x for every x: 0 far below, infinity far above, NaN for NaN.
SAGCL_BOTH inline float exponential(float x) {
  x = x < -104.0f ? -104.0f : x;  // already 0 and infinity there; beyond, n would leave its range
  x = x > 89.0f ? 89.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;  // adding 1.5 2^23 leaves n = round(x / ln 2) in the last bits
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;  // ln 2 in two parts, the first exact in n * it
  float p = 1.98910805e-4f;                                      // (e^r - 1 - r) / r² for |r| <= ln 2 / 2
  p = p * r + 1.39337307e-3f;
  p = p * r + 8.33331084e-3f;
  p = p * r + 4.16664642e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  const float e = (p * r) * r + r + 1.0f;
  const std::int32_t k = std::int32_t(bits_of(shifted) - 0x4B400000u), half = k >> 1;  // 2^k in two factors: k may be -150
  return e * float_of_bits(std::uint32_t(half + 127) << 23) * float_of_bits(std::uint32_t(k - half + 127) << 23);
}

/// ln x for normal positive x.
SAGCL_BOTH inline float logarithm(float x) {
  const std::uint32_t bits = bits_of(x) - 0x3F3504F3u;  // from sqrt(1/2): the mantissa falls into [sqrt(1/2), sqrt(2))
  const float n = float(std::int32_t(bits) >> 23);
  const float f = float_of_bits((bits & 0x007FFFFFu) + 0x3F3504F3u) - 1.0f;
  float p = 6.97161147e-2f;  // (ln(1 + f) - f + f²/2) / f³
  p = p * f - 1.14797338e-1f;
  p = p * f + 1.16854199e-1f;
  p = p * f - 1.24256873e-1f;
  p = p * f + 1.42490576e-1f;
  p = p * f - 1.66678023e-1f;
  p = p * f + 2.00007157e-1f;
  p = p * f - 2.49999970e-1f;
  p = p * f + 3.33333312e-1f;
  const float square = f * f;
  return ((p * f) * square + n * -2.12194440e-4f - 0.5f * square) + f + n * 0.693359375f;
}

SAGCL_BOTH inline double exponential(double x) { return std::exp(x); }
SAGCL_BOTH inline double logarithm(double x) { return std::log(x); }

}  // namespace sagcl::ops::kernels
