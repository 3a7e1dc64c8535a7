#pragma once
#include <string>

#include "datasets/volume.h"
#include "engine/files/atomic_file.h"

namespace sagcl::datasets {

/// A file of f32 [D, H, W, C] that is written some planes at a time and need never be in memory as a whole. The name's
/// ending says which: .nii is a NIfTI file in the place of `geometry` with the channels as fourth axis; .npy holds an array
/// [D, H, W, C]. Both are uncompressed. The file appears with commit(), or not at all.
class PlaneFile {
 public:
  PlaneFile(const std::filesystem::path& file, const engine::Shape& shape, const Geometry& geometry);
  void write(const Tensor& planes);  ///< the next planes, [n, H, W, C]; ShapeError for other extents or too many
  void commit();                     ///< ShapeError unless all planes were written

 private:
  engine::AtomicFile file_;
  engine::Shape shape_;
  bool channels_last_, swapped_ = false;
  std::uint64_t first_ = 0;  // byte of the first number
  std::int64_t done_ = 0;    // planes
};

}  // namespace sagcl::datasets
