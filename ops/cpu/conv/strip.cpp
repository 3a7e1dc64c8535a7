#include "ops/cpu/conv/strip.h"

#include <algorithm>
#include <cstring>

namespace sagcl::ops::cpu {
namespace {

std::int64_t reach(std::int64_t results, std::int64_t step, std::int64_t taps) { return (results - 1) * step + taps; }

}  // namespace

std::int64_t Strip::scratch(const Window& w, bool padded, std::int64_t rows, std::int64_t columns, std::int64_t depth_taps) {
  if (!padded) return 0;
  return depth_taps * reach(rows, w.source_step[1], w.taps[1]) * reach(columns, w.source_step[2], w.taps[2]) * w.channels;
}

void Strip::fill(const Block& block) {
  block_ = block;
  if (!padded_) return;
  rows_ = reach(block.row1 - block.row0, w_.source_step[1], w_.taps[1]);
  const std::int64_t width = reach(block.column1 - block.column0, w_.source_step[2], w_.taps[2]);
  row_floats_ = width * w_.channels;
  const std::int64_t first_row = block.row0 * w_.source_step[1] + w_.source_first[1];
  const std::int64_t first_column = block.column0 * w_.source_step[2] + w_.source_first[2];
  const std::int64_t left = std::clamp<std::int64_t>(-first_column, 0, width);
  const std::int64_t right = std::clamp<std::int64_t>(first_column + width - w_.source[2], 0, width - left);
  for (std::int64_t t = block.tap0; t < block.tap1; ++t) {
    const std::int64_t plane = source_plane(t);
    if (plane < 0 || plane >= w_.source[0]) continue;
    for (std::int64_t r = std::max<std::int64_t>(0, -first_row); r < rows_ && first_row + r < w_.source[1]; ++r) {
      float* to = scratch_ + ((t - block.tap0) * rows_ + r) * row_floats_;
      const std::int64_t inside = (width - left - right) * w_.channels;
      std::memset(to, 0, std::size_t(left * w_.channels) * sizeof(float));
      to += left * w_.channels;
      if (inside > 0)
        std::memcpy(to, in_place(plane, first_row + r) + (first_column + left) * w_.channels,
                    std::size_t(inside) * sizeof(float));
      std::memset(to + inside, 0, std::size_t(right * w_.channels) * sizeof(float));
    }
  }
}

const float* Strip::row(std::int64_t row, std::int64_t depth_tap, std::int64_t height_tap) const {
  const std::int64_t plane = source_plane(depth_tap), r = row * w_.source_step[1] + w_.source_first[1] + height_tap;
  if (plane < 0 || plane >= w_.source[0] || r < 0 || r >= w_.source[1]) return nullptr;
  if (!padded_) return in_place(plane, r) + (block_.column0 * w_.source_step[2] + w_.source_first[2]) * w_.channels;
  const std::int64_t local = (row - block_.row0) * w_.source_step[1] + height_tap;
  return scratch_ + ((depth_tap - block_.tap0) * rows_ + local) * row_floats_;
}

}  // namespace sagcl::ops::cpu
