#include "datasets/load.h"

#include <algorithm>
#include <cmath>

#include "datasets/nifti.h"
#include "datasets/png.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using engine::Shape;

namespace {

bool is_png(const std::filesystem::path& file) { return file.extension() == ".png"; }

Image read_any(const std::filesystem::path& file, std::int64_t png_channels) {
  return is_png(file) ? read_png(file, png_channels) : read_nifti(file);
}

void require_finite(const Tensor& voxels, const std::string& name) {
  const float* p = voxels.data<float>();
  std::int64_t count = 0, first = -1;
  for (std::int64_t i = 0; i < voxels.size(); ++i)
    if (!std::isfinite(p[i]) && ++count == 1) first = i;
  if (count == 0) return;
  const Shape& s = voxels.shape();
  const std::int64_t v = first / s[3];
  engine::fail<DataError>(
      "{}: {} of {} voxels are NaN or infinite, the first at x {}, y {}, z {}; replace them (for example by the "
      "background's value) or leave the case out",
      name, count, voxels.size(), v % s[2], v / s[2] % s[1], v / s[2] / s[1]);
}

/// Largest distance between where two affines place a corner of the volume, in units of the smallest voxel spacing.
double disagreement(const Geometry& a, const Geometry& b, const Shape& s) {
  double worst = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const double p[4] = {corner & 1 ? double(s[2] - 1) : 0, corner & 2 ? double(s[1] - 1) : 0,
                         corner & 4 ? double(s[0] - 1) : 0, 1};
    double squared = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      double d = 0;
      for (std::size_t j = 0; j < 4; ++j) d += (a.affine[4 * i + j] - b.affine[4 * i + j]) * p[j];
      squared += d * d;
    }
    worst = std::max(worst, std::sqrt(squared));
  }
  return worst / *std::min_element(a.spacing.begin(), a.spacing.end());
}

/// Puts single-channel volumes side by side as channels.
Tensor stack(const std::vector<Tensor>& parts) {
  const Shape& s = parts[0].shape();
  const std::int64_t channels = std::int64_t(parts.size()), voxels = parts[0].size();
  Tensor out = Tensor::empty({s[0], s[1], s[2], channels});
  for (std::int64_t c = 0; c < channels; ++c) {
    const float* from = parts[std::size_t(c)].data<float>();
    float* to = out.data<float>() + c;
    for (std::int64_t i = 0; i < voxels; ++i) to[i * channels] = from[i];
  }
  return out;
}

}  // namespace

Image load_image(const Case& one, std::int64_t channels) {
  require<engine::UsageError>(!one.images.empty(), "case {} has no image file", one.id);
  const bool together = one.images.size() == 1;
  std::vector<Tensor> parts;
  Geometry geometry;
  for (const auto& file : one.images) {
    Image image = read_any(file, together ? channels : 1);
    require<DataError>(together || image.voxels.shape()[3] == 1, "{}: has {} channels where one per file is expected",
                       file.string(), image.voxels.shape()[3]);
    if (parts.empty()) geometry = std::move(image.geometry);
    else
      require<DataError>(image.voxels.shape() == parts[0].shape(),
                         "{}: has extents {} but {} has {} (z, y, x); resample one onto the other", file.string(),
                         image.voxels.shape(), one.images[0].string(), parts[0].shape());
    require_finite(image.voxels, file.string());
    parts.push_back(std::move(image.voxels));
  }
  Tensor voxels = together ? parts[0] : stack(parts);
  require<DataError>(voxels.shape()[3] == channels,
                     "{}: has {} channels, the data set has {}; convert the image or correct dataset.json",
                     one.images[0].string(), voxels.shape()[3], channels);
  return {std::move(voxels), std::move(geometry)};
}

Tensor read_label_values(const std::filesystem::path& file, Geometry* geometry) {
  if (is_png(file)) return read_png_label(file);
  Image label = read_nifti(file);
  const Shape s = label.voxels.shape();
  require<DataError>(s[3] == 1, "{}: a label has one value per voxel, this file has {}; split it", file.string(), s[3]);
  if (geometry) *geometry = std::move(label.geometry);
  return label.voxels.reshape({s[0], s[1], s[2]});
}

Label load_label(const Case& one, const Image& image, const LabelRule& rule, std::int64_t classes) {
  require<engine::UsageError>(one.has_label(), "case {} has no label", one.id);
  const std::string name = one.label.string();
  Label label;
  const Tensor values = read_label_values(one.label, &label.geometry);
  const Shape& s = image.voxels.shape();
  require<DataError>(
      values.shape() == Shape({s[0], s[1], s[2]}),
      "{}: has extents {}, its image {} has {} (z, y, x); resample the label onto the image without interpolation", name,
      values.shape(), one.images[0].string(), Shape({s[0], s[1], s[2]}));
  if (is_png(one.label)) label.geometry = image.geometry;
  else if (!is_png(one.images[0])) {
    const double off = disagreement(image.geometry, label.geometry, s);
    require<DataError>(off <= 0.5,
                       "{}: lies {:.3g} voxels away from its image {} (their affines differ); copy the image's header to "
                       "the label if the voxels match",
                       name, off, one.images[0].string());
  }
  label.classes = apply_rule(rule, values, classes, name);
  return label;
}

}  // namespace sagcl::datasets
