#include "tools/report/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "datasets/formats/png.h"
#include "tools/report/canvas.h"
#include "tools/report/html.h"

namespace sagcl::tools {

const std::vector<std::string>& class_colours() {
  static const std::vector<std::string> colours = {"#ffa41b", "#38b6ff", "#9be15d", "#ff6fb5", "#ffe14d", "#b388ff"};
  return colours;
}

namespace {

/// Rows and columns of a plane across `axis`, as axes of the volume.
struct PlaneAxes {
  int row, column;
};
PlaneAxes axes_across(int axis) { return axis == 0 ? PlaneAxes{1, 2} : axis == 1 ? PlaneAxes{0, 2} : PlaneAxes{0, 1}; }

/// Index in [D, H, W] of the pixel (r, c) of a plane.
std::int64_t voxel_at(const engine::Shape& s, int axis, std::int64_t position, std::int64_t r, std::int64_t c) {
  std::int64_t p[3];
  const PlaneAxes a = axes_across(axis);
  p[axis] = position, p[a.row] = r, p[a.column] = c;
  return (p[0] * s[1] + p[1]) * s[2] + p[2];
}

/// Grey values that become black and white: the 0.5th and 99.5th percentile, so that a few bright voxels do not darken the
/// rest. By rank in a sample, not between neighbours as ops::quantiles: a picture's greys are not so fine.
std::pair<float, float> grey_window(const Tensor& image) {
  const float* p = image.data<float>();
  const std::int64_t stride = std::max<std::int64_t>(1, image.size() / 200000);
  std::vector<float> sample;
  for (std::int64_t i = 0; i < image.size(); i += stride) sample.push_back(p[i]);
  std::sort(sample.begin(), sample.end());
  const float low = sample[sample.size() / 200], high = sample[sample.size() - 1 - sample.size() / 200];
  return {low, high > low ? high : low + 1};
}

/// The centre of all foreground voxels; the middle of the volume if there are none.
std::array<double, 3> centre_of(const Tensor& mask, bool& found) {
  const auto& s = mask.shape();
  const auto* p = mask.data<std::uint8_t>();
  std::array<double, 3> sum = {0, 0, 0};
  double n = 0;
  for (std::int64_t i = 0; i < mask.size(); ++i)
    if (p[i]) sum[0] += double(i / (s[1] * s[2])), sum[1] += double(i / s[2] % s[1]), sum[2] += double(i % s[2]), ++n;
  found = n > 0;
  for (int a = 0; a < 3; ++a)
    sum[std::size_t(a)] = (found ? sum[std::size_t(a)] / n : 0.5 * double(s[a] - 1)) / double(s[a]);
  return sum;  // as shares of the extents
}

std::int64_t position_in(const Tensor& t, int axis, double share) {
  return std::clamp<std::int64_t>(std::int64_t(std::floor(share * double(t.shape()[axis]) + 0.5)), 0, t.shape()[axis] - 1);
}

std::string figure(const OverlayCase& one, int axis, double share, double pixels_per_mm) {
  const PlaneAxes a = axes_across(axis);
  const auto& s = one.image.shape();
  const double width = double(s[a.column]) * one.spacing[std::size_t(a.column)] * pixels_per_mm;
  const double height = double(s[a.row]) * one.spacing[std::size_t(a.row)] * pixels_per_mm;
  const std::int64_t position = position_in(one.image, axis, share);
  static const char* names[] = {"z", "y", "x"};
  const std::string caption = s[0] == 1 ? "" : fmt::format("{} = {}", names[axis], position);
  std::string out = fmt::format(
      "<figure><svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\"><g{2}>", coordinate(width), coordinate(height),
      one.upside_down ? fmt::format(" transform=\"translate(0 {}) scale(1 -1)\"", coordinate(height)) : "");
  out += fmt::format("<image href=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\"/>",
                     png_data_uri(plane_png(one.image, axis, position)), coordinate(width), coordinate(height));
  for (const auto& [mask, area] : {std::pair{&one.truth, true}, {&one.prediction, false}})
    out += class_layer(plane_of(*mask, axis, position_in(*mask, axis, share)), width, height, area);
  return out + "</g></svg><figcaption>" + caption + "</figcaption></figure>";
}

/// Grey values or colours as a screen has them: u8 [H, W] or [H, W, 3].
Tensor plane_pixels(const Tensor& image, int axis, std::int64_t position) {
  const auto& s = image.shape();
  const PlaneAxes a = axes_across(axis);
  const bool colour = s[3] == 3;
  const auto [low, high] = colour ? std::pair{0.f, 255.f} : grey_window(image);
  const std::int64_t height = s[a.row], width = s[a.column], channels = colour ? 3 : 1;
  Tensor pixels =
      colour ? Tensor::empty({height, width, 3}, engine::Dtype::u8) : Tensor::empty({height, width}, engine::Dtype::u8);
  auto* out = pixels.data<std::uint8_t>();
  const float* in = image.data<float>();
  for (std::int64_t r = 0; r < height; ++r)
    for (std::int64_t c = 0; c < width; ++c)
      for (std::int64_t k = 0; k < channels; ++k) {
        const float v = in[voxel_at(s, axis, position, r, c) * s[3] + k];
        *out++ = std::uint8_t(std::lround(255 * std::clamp((v - low) / (high - low), 0.f, 1.f)));
      }
  return pixels;
}

/// Draws the loops of every class in units of `width` x `height`.
template <class F>
void each_class(const Tensor& mask, double share, double width, double height, bool upside_down, F&& draw) {
  const ClassPlane plane = plane_of(mask, 0, position_in(mask, 0, share));
  std::set<std::uint8_t> classes(plane.classes.begin(), plane.classes.end());
  classes.erase(0), classes.erase(datasets::not_annotated);
  for (const std::uint8_t k : classes) {
    std::vector<Points> loops = loops_around(plane, k);
    for (Points& loop : loops)
      for (auto& [x, y] : loop) {
        x *= width / double(plane.width), y *= height / double(plane.height);
        if (upside_down) y = height - y;
      }
    draw(loops, class_colours()[std::size_t(k - 1) % class_colours().size()]);
  }
}

}  // namespace

Tensor screen_colours(const Tensor& image) {
  if (image.shape().back() != 3) return image;
  Tensor out = image.clone();
  float* v = out.data<float>();
  const auto [low, high] = std::minmax_element(v, v + out.size());
  const float from = *low, span = *high > *low ? *high - *low : 1;
  for (std::int64_t i = 0; i < out.size(); ++i) v[i] = (v[i] - from) / span * 255;
  return out;
}

OverlayPicture overlay_picture(const OverlayCase& one, double longest) {
  bool found = false;
  std::array<double, 3> centre = centre_of(one.truth, found);
  if (!found) centre = centre_of(one.prediction, found);
  const auto& s = one.image.shape();
  double height = double(s[1]) * one.spacing[1], width = double(s[2]) * one.spacing[2];
  const double pixels = longest / std::max(height, width);
  height = std::max(1.0, std::round(height * pixels)), width = std::max(1.0, std::round(width * pixels));
  Canvas canvas(width, height, 1);
  canvas.image(plane_pixels(one.image, 0, position_in(one.image, 0, centre[0])), width, height, one.upside_down);
  each_class(one.truth, centre[0], width, height, one.upside_down,
             [&](const auto& loops, const auto& colour) { canvas.area(loops, colour, 0.38); });
  each_class(one.prediction, centre[0], width, height, one.upside_down, [&](auto& loops, const auto& colour) {
    for (Points& loop : loops) loop.push_back(loop.front()), canvas.line(loop, {.colour = colour, .width = 2});
  });
  return {canvas.png(), std::int64_t(height), std::int64_t(width)};
}

std::string plane_png(const Tensor& image, int axis, std::int64_t position) {
  return datasets::encode_png(plane_pixels(image, axis, position));
}

ClassPlane plane_of(const Tensor& mask, int axis, std::int64_t position) {
  const auto& s = mask.shape();
  const PlaneAxes a = axes_across(axis);
  ClassPlane plane{s[a.row], s[a.column], {}};
  plane.classes.reserve(std::size_t(plane.height * plane.width));
  const auto* p = mask.data<std::uint8_t>();
  for (std::int64_t r = 0; r < plane.height; ++r)
    for (std::int64_t c = 0; c < plane.width; ++c) plane.classes.push_back(p[voxel_at(s, axis, position, r, c)]);
  return plane;
}

std::string class_layer(const ClassPlane& plane, double width, double height, bool area) {
  const int largest = plane.classes.empty() ? 0 : *std::max_element(plane.classes.begin(), plane.classes.end());
  std::string out =
      fmt::format("<g transform=\"scale({:.5f} {:.5f})\">", width / double(plane.width), height / double(plane.height));
  for (int k = 1; k <= largest; ++k) {
    const std::string path = outline(plane, std::uint8_t(k));
    if (path.empty()) continue;
    const std::string& colour = class_colours()[std::size_t(k - 1) % class_colours().size()];
    out += area ? fmt::format("<path d=\"{}\" fill=\"{}\" fill-opacity=\"0.38\"/>", path, colour)
                : fmt::format(
                      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" vector-effect=\"non-scaling-stroke\"/>",
                      path, colour);
  }
  return out + "</g>";
}

std::vector<std::string> overlay_figures(const OverlayCase& one) {
  const auto& s = one.image.shape();
  bool found = false;
  std::array<double, 3> centre = centre_of(one.truth, found);
  if (!found) centre = centre_of(one.prediction, found);
  if (s[0] == 1) return {figure(one, 0, 0, 320 / (double(s[2]) * one.spacing[2]))};
  double longest = 0;
  for (int a = 0; a < 3; ++a) longest = std::max(longest, double(s[a]) * one.spacing[std::size_t(a)]);
  std::vector<std::string> figures;
  for (int axis = 0; axis < 3; ++axis) figures.push_back(figure(one, axis, centre[std::size_t(axis)], 330 / longest));
  return figures;
}

}  // namespace sagcl::tools
