#pragma once
#include <cstdint>

#include "ops/conv_geometry.h"

namespace sagcl::ops::cpu {

/// Which source voxels a lattice of results reads (see lattice.h).
struct Window {
  Extents source, source_step, source_first, taps;
  std::int64_t channels;
};

/// A block of results: rows [row0, row1) of plane `plane`, columns [column0, column1), depth taps [tap0, tap1).
struct Block {
  std::int64_t image, plane, row0, row1, column0, column1, tap0, tap1;
};

/// The source rows that a block of results reads, such that every row is readable from its first to its last tap.
/// Where the window leaves the image sideways the rows are copied with zeros around them; otherwise they are used in place.
class Strip {
 public:
  /// Floats of scratch memory for blocks of this size; 0 where nothing is copied.
  static std::int64_t scratch(const Window& w, bool padded, std::int64_t rows, std::int64_t columns,
                              std::int64_t depth_taps);

  Strip(const Window& w, bool padded, const float* source, float* scratch)
      : w_(w), padded_(padded), source_(source), scratch_(scratch) {}

  void fill(const Block& block);
  bool copied() const { return padded_; }

  /// First element of the first tap of result (plane, row, column0) for one depth and height tap; null outside the image.
  const float* row(std::int64_t row, std::int64_t depth_tap, std::int64_t height_tap) const;

 private:
  std::int64_t source_plane(std::int64_t tap) const { return block_.plane * w_.source_step[0] + w_.source_first[0] + tap; }
  const float* in_place(std::int64_t plane, std::int64_t row) const {
    return source_ + ((block_.image * w_.source[0] + plane) * w_.source[1] + row) * w_.source[2] * w_.channels;
  }
  Window w_;
  bool padded_;
  const float* source_;
  float* scratch_;
  Block block_{};
  std::int64_t rows_ = 0, row_floats_ = 0;  // of one depth tap in the scratch memory
};

}  // namespace sagcl::ops::cpu
