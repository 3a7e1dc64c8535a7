#pragma once
// f32 products on tensor cores, which round operands to TF32: x = hi + lo, both exact in TF32 up to 2^-22 of x, and
//
//   x w ≈ hi w_hi + lo w_hi + hi w_lo.
//
// A convolution forms the three sums in one: its operands are stacked along the axis over which it sums, one as hi, hi, lo
// and the other as hi, lo, hi. That axis is the channels in a forward pass, the output channels in a data gradient, the
// images in a weight gradient.
#include <cstdint>
#include <cstring>

namespace sagcl::ops::cuda {

/// Rounded to the nearest of TF32's 10 bits behind the point, as f32.
__host__ __device__ inline float in_tf32(float x) {
  std::uint32_t bits = 0;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x1000u) & 0xffffe000u;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// Which part of the values stands at which of the three places.
enum class Parts { hi_hi_lo, hi_lo_hi };

/// x [rows, columns] becomes y [rows, 3, columns]. To stack along the first axis, x is one row.
struct SplitTf32 {
  std::int64_t columns;
  Parts parts;
  const float* x;
  float* y;
  template <class I>
  __host__ __device__ void operator()(I row, I column) const {
    const float v = x[row * columns + column], hi = in_tf32(v), lo = in_tf32(v - hi);
    float* const out = y + std::int64_t(row) * 3 * columns + column;
    out[0] = hi;
    out[columns] = parts == Parts::hi_hi_lo ? hi : lo;
    out[2 * columns] = parts == Parts::hi_hi_lo ? lo : hi;
  }
};

}  // namespace sagcl::ops::cuda
