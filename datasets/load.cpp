#include "datasets/load.h"

#include <algorithm>
#include <cmath>

#include "datasets/affine.h"
#include "datasets/formats/formats.h"
#include "datasets/orientation.h"
#include "datasets/text.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::require;

namespace {

constexpr double most_apart = 0.5;  // voxels between two files of one place

void require_finite(Tensor& voxels, std::optional<float> instead, const std::string& name, Reader reader) {
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
      "background's value: {}--replace-nan 0, or leave the case out",
      name, count, voxels.size(), v % s[2], v / s[2] % s[1], v / s[2] / s[1],
      reader == Reader::data_set ? "sagcl-data convert DIR --to NEW " : "");
}

bool same_extents(const Shape& a, const Shape& b) { return a[0] == b[0] && a[1] == b[1] && a[2] == b[2]; }

/// The orientation that a volume must be turned to so that it lies upon another in the same place; empty where it lies there
/// already, or elsewhere.
std::string turn_onto(const Shape& target, const Geometry& place, const Shape& shape, const Geometry& geometry) {
  if (!place.placed || !geometry.placed) return "";
  if (same_extents(target, shape) && voxels_apart(place, geometry, target) <= most_apart) return "";
  const std::string code = orientation_of(place.affine);
  const auto [turned, there] = place_reoriented(shape, geometry, code);
  return same_extents(target, turned) && voxels_apart(place, there, target) <= most_apart ? code : "";
}

/// Turns a volume where turn_onto says so, and remarks it.
void turn(Tensor& voxels, Geometry& geometry, const Shape& target, const Geometry& place, Remarks& remarks) {
  const std::string code = turn_onto(target, place, voxels.shape(), geometry);
  if (code.empty()) return;
  remarks.push_back(fmt::format("turned from {} to {}, to lie as its image does", orientation_of(geometry.affine), code));
  voxels = reoriented(voxels, geometry, code);
}

/// DataError for a volume that is only turned against another: neither header must be copied, nothing resampled.
void require_not_turned(const Shape& target, const Geometry& place, const std::string& of, const Shape& shape,
                        const Geometry& geometry, const std::string& name, bool convertible) {
  const std::string code = turn_onto(target, place, shape, geometry);
  require<DataError>(code.empty(),
                     "{}: fills the same place as {}, but its axes x, y, z grow to {} and those to {}: one was turned "
                     "without the other; {}",
                     name, of, orientation_of(geometry.affine), code,
                     convertible ? "turn them alike with: sagcl-data convert DIR --to NEW --orientation RAS"
                                 : "turn one of them to lie as the other");
}

/// Puts a volume of one channel into channel `c` of another.
void put_channel(const Tensor& one, std::int64_t c, Tensor& all) {
  const float* from = one.data<float>();
  float* to = all.data<float>() + c;
  const std::int64_t channels = all.shape()[3];
  for (std::int64_t i = 0; i < one.size(); ++i) to[i * channels] = from[i];
}

void require_channels(std::int64_t channels, std::int64_t expected, const std::string& name, Reader reader) {
  if (reader == Reader::data_set)
    require<DataError>(channels == expected,
                       "{}: has {} channels, the data set has {}; convert the image or correct dataset.json", name, channels,
                       expected);
  std::string files;
  if (expected > 1) files = fmt::format(", or of {} files CASE_0000 to CASE_{:04} in one folder", expected, expected - 1);
  require<DataError>(channels == expected, "{}: has {}, the network expects {}; give an image of {}{}", name,
                     counted(channels, "channel"), counted(expected, "channel"), counted(expected, "channel"), files);
}

}  // namespace

Image load_image(const Case& one, std::int64_t channels, std::optional<float> instead, Reader reader, bool turned) {
  require<engine::UsageError>(!one.images.empty(), "case {} has no image file", one.id);
  const std::int64_t files = std::int64_t(one.images.size());
  Image all;
  for (std::int64_t c = 0; c < files; ++c) {
    const auto& file = one.images[std::size_t(c)];
    Image image = read_image(file, files == 1 ? channels : 1, one.axes);
    if (c > 0 && turned) turn(image.voxels, image.geometry, all.voxels.shape(), all.geometry, image.remarks);
    const Shape s = image.voxels.shape();
    require<DataError>(files == 1 || s[3] == 1, "{}: has {} channels where one per file is expected", file.string(), s[3]);
    if (c == 0) {
      all.geometry = std::move(image.geometry), all.white = image.white;
    } else {
      const Shape first = all.voxels.shape().with(3, 1);
      require_not_turned(first, all.geometry, one.images[0].string(), s, image.geometry, file.string(),
                         reader == Reader::data_set);
      require<DataError>(s == first, "{}: has extents {} but {} has {} (z, y, x); resample one onto the other",
                         file.string(), s, one.images[0].string(), first);
      const double apart = voxels_apart(all.geometry, image.geometry, s);
      require<DataError>(apart <= most_apart,
                         "{}: lies {:.3g} voxels away from {}, another channel of case {} (their affines differ); register "
                         "and resample it onto the other, or copy the header if the voxels match",
                         file.string(), apart, one.images[0].string(), one.id);
      require<DataError>(image.white == all.white, "{}: has {} bits per pixel, {} has {}; save both alike", file.string(),
                         image.white > 255 ? 16 : 8, one.images[0].string(), all.white > 255 ? 16 : 8);
    }
    for (const std::string& text : image.remarks) all.remarks.push_back(file.string() + ": " + text);
    require_finite(image.voxels, instead, file.string(), reader);
    if (files == 1) {
      all.voxels = std::move(image.voxels);
    } else {
      if (c == 0) all.voxels = Tensor::empty(s.with(3, files));
      put_channel(image.voxels, c, all.voxels);
    }
  }
  require_channels(all.voxels.shape()[3], channels, one.images[0].string(), reader);
  return all;
}

Label load_label(const Case& one, const Image& image, const LabelRule& rule, std::int64_t classes, bool turned) {
  require<engine::UsageError>(one.has_label(), "case {} has no label", one.id);
  StoredLabel stored = read_label(one.label, one.axes);
  if (turned) turn(stored.values, stored.geometry, image.voxels.shape(), image.geometry, stored.remarks);
  return as_classes(std::move(stored), one.label.string(), image.voxels.shape(), image.geometry, one.images[0].string(),
                    rule, classes);
}

Label as_classes(StoredLabel stored, const std::string& name, const Shape& s, const Geometry& place,
                 const std::string& image_name, const LabelRule& rule, std::int64_t classes, const char* option) {
  require_not_turned(s, place, image_name, stored.values.shape(), stored.geometry, name, option == nullptr);
  require<DataError>(stored.values.shape() == Shape({s[0], s[1], s[2]}),
                     "{}: has extents {}, its image {} has {} (z, y, x); resample the label onto the image without "
                     "interpolation, or remove the label to use the image as unlabelled",
                     name, stored.values.shape(), image_name, Shape({s[0], s[1], s[2]}));
  const double apart = voxels_apart(place, stored.geometry, s);
  const bool two_places = place.other || stored.geometry.other;
  require<DataError>(apart <= most_apart,
                     "{}: lies {:.3g} voxels away from its image {} (their affines differ{}); copy the image's header to "
                     "the label if the voxels match",
                     name, apart, image_name,
                     two_places ? ", and one of the headers gives two places, by its sform and its qform" : "");
  Label label;
  label.classes = apply_rule(rule, stored, classes, name, &label.remarks, option);
  label.geometry = stored.geometry.placed ? std::move(stored.geometry) : place;
  for (std::string& text : label.remarks) text = name + ": " + text;
  for (const std::string& text : stored.remarks) label.remarks.push_back(name + ": " + text);
  return label;
}

}  // namespace sagcl::datasets
