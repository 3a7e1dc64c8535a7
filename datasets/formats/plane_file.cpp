#include "datasets/formats/plane_file.h"

#include <algorithm>
#include <bit>

#include "datasets/formats/array_file.h"
#include "datasets/formats/nifti_header.h"
#include "datasets/formats/numbers.h"

namespace sagcl::datasets {

using engine::require;
using engine::Shape;

namespace {

std::string nifti_head(const Shape& shape, const Geometry& geometry, bool& swapped) {
  return build_nifti_header(shape, engine::Dtype::f32, geometry, swapped) + std::string(4, '\0');  // no extension follows
}

}  // namespace

PlaneFile::PlaneFile(const std::filesystem::path& file, const Shape& shape, const Geometry& geometry)
    : file_(file), shape_(shape), channels_last_(file.extension() == ".npy") {
  require(shape.rank() == 4, "{}: a file of planes is [D, H, W, C], got {}", file.string(), shape);
  require<engine::UsageError>(channels_last_ || file.extension() == ".nii", "{}: planes are written into .nii or .npy",
                              file.string());
  const std::string header = channels_last_ ? npy_header(shape, engine::Dtype::f32) : nifti_head(shape, geometry, swapped_);
  file_.write(header.data(), header.size());
  first_ = header.size();
}

void PlaneFile::write(const Tensor& planes) {
  const Shape& s = planes.shape();
  require(s.rank() == 4 && s.with(0, shape_[0]) == shape_ && done_ + s[0] <= shape_[0], "planes {} after {} of a file of {}",
          s, done_, shape_);
  const std::int64_t voxels = s[0] * s[1] * s[2], before = done_ * s[1] * s[2], channels = s[3];
  const auto at = [&](std::int64_t number) { return first_ + std::uint64_t(number) * sizeof(float); };
  const float* from = planes.data<float>();
  done_ += s[0];
  if (channels_last_) return file_.write_at(at(before * channels), from, planes.bytes());
  std::vector<std::uint32_t> one(static_cast<std::size_t>(voxels));
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t v = 0; v < voxels; ++v) {
      const auto bits = std::bit_cast<std::uint32_t>(from[v * channels + c]);
      one[std::size_t(v)] = swapped_ ? __builtin_bswap32(bits) : bits;
    }
    file_.write_at(at(c * shape_[0] * s[1] * s[2] + before), one.data(), std::size_t(voxels) * sizeof(float));
  }
}

void PlaneFile::commit() {
  require(done_ == shape_[0], "{} of {} planes were written", done_, shape_[0]);
  file_.commit();
}

}  // namespace sagcl::datasets
