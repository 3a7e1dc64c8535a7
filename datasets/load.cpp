#include "datasets/load.h"

#include <algorithm>
#include <cmath>

#include "datasets/affine.h"
#include "datasets/formats.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using engine::Shape;

namespace {

void require_finite(Tensor& voxels, std::optional<float> instead, const std::string& name) {
  float* p = voxels.data<float>();
  if (instead)
    std::replace_if(
        p, p + voxels.size(), [](float v) { return !std::isfinite(v); }, *instead);
  std::int64_t count = 0, first = -1;
  for (std::int64_t i = 0; i < voxels.size(); ++i)
    if (!std::isfinite(p[i]) && ++count == 1) first = i;
  if (count == 0) return;
  const Shape& s = voxels.shape();
  const std::int64_t v = first / s[3];
  engine::fail<DataError>(
      "{}: {} of {} voxels are NaN or infinite, the first at x {}, y {}, z {}; replace them, for example by the "
      "background's "
      "value: sagcl-data convert DIR --to NEW --replace-nan 0, or leave the case out",
      name, count, voxels.size(), v % s[2], v / s[2] % s[1], v / s[2] / s[1]);
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

Image load_image(const Case& one, std::int64_t channels, std::optional<float> instead) {
  require<engine::UsageError>(!one.images.empty(), "case {} has no image file", one.id);
  const bool together = one.images.size() == 1;
  std::vector<Tensor> parts;
  Geometry geometry;
  for (const auto& file : one.images) {
    Image image = read_image(file, together ? channels : 1, one.axes);
    require<DataError>(together || image.voxels.shape()[3] == 1, "{}: has {} channels where one per file is expected",
                       file.string(), image.voxels.shape()[3]);
    if (parts.empty()) geometry = std::move(image.geometry);
    else
      require<DataError>(image.voxels.shape() == parts[0].shape(),
                         "{}: has extents {} but {} has {} (z, y, x); resample one onto the other", file.string(),
                         image.voxels.shape(), one.images[0].string(), parts[0].shape());
    require_finite(image.voxels, instead, file.string());
    parts.push_back(std::move(image.voxels));
  }
  Tensor voxels = together ? parts[0] : stack(parts);
  require<DataError>(voxels.shape()[3] == channels,
                     "{}: has {} channels, the data set has {}; convert the image or correct dataset.json",
                     one.images[0].string(), voxels.shape()[3], channels);
  return {std::move(voxels), std::move(geometry)};
}

Label load_label(const Case& one, const Image& image, const LabelRule& rule, std::int64_t classes) {
  require<engine::UsageError>(one.has_label(), "case {} has no label", one.id);
  const std::string name = one.label.string();
  Label label;
  const Tensor values = read_label_values(one.label, &label.geometry, one.axes);
  const Shape& s = image.voxels.shape();
  require<DataError>(values.shape() == Shape({s[0], s[1], s[2]}),
                     "{}: has extents {}, its image {} has {} (z, y, x); resample the label onto the image without "
                     "interpolation, or remove the "
                     "label to use the image as unlabelled",
                     name, values.shape(), one.images[0].string(), Shape({s[0], s[1], s[2]}));
  if (!label.geometry.placed) label.geometry = image.geometry;
  else if (image.geometry.placed) {
    const double off = corner_distance(image.geometry.affine, label.geometry.affine, s) /
                       *std::min_element(image.geometry.spacing.begin(), image.geometry.spacing.end());
    require<DataError>(off <= 0.5,
                       "{}: lies {:.3g} voxels away from its image {} (their affines differ); copy the image's header to "
                       "the label if the voxels match",
                       name, off, one.images[0].string());
  }
  label.classes = apply_rule(rule, values, classes, name);
  return label;
}

}  // namespace sagcl::datasets
