#include "tools/report/canvas.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "datasets/formats/png.h"
#include "tools/report/stroke_font.h"

namespace sagcl::tools {
namespace {

/// "#rrggbb" or "#rgb".
std::array<double, 3> rgb(const std::string& colour) {
  const std::size_t digits = colour.size() == 4 ? 1 : 2;
  std::array<double, 3> out;
  for (std::size_t c = 0; c < 3; ++c) {
    const int value = std::stoi(colour.substr(1 + c * digits, digits), nullptr, 16);
    out[c] = digits == 1 ? value * 17 : value;
  }
  return out;
}

double distance(double x, double y, std::pair<double, double> a, std::pair<double, double> b) {
  const double dx = b.first - a.first, dy = b.second - a.second, length2 = dx * dx + dy * dy;
  const double t = length2 > 0 ? std::clamp(((x - a.first) * dx + (y - a.second) * dy) / length2, 0.0, 1.0) : 0;
  return std::hypot(x - a.first - t * dx, y - a.second - t * dy);
}

/// A line cut into pieces with gaps of the same length.
std::vector<Points> dashes(const Points& points, double length) {
  std::vector<Points> out;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const auto [x, y] = points[i - 1];
    const double dx = points[i].first - x, dy = points[i].second - y, whole = std::hypot(dx, dy);
    for (double at = 0; at < whole; at += 2 * length) {
      const double a = at / whole, b = std::min(1.0, (at + length) / whole);
      out.push_back({{x + a * dx, y + a * dy}, {x + b * dx, y + b * dy}});
    }
  }
  return out;
}

}  // namespace

struct Canvas::Coverage {
  std::int64_t left, top, right, bottom;
  std::vector<float> share;
  float& at(std::int64_t x, std::int64_t y) { return share[std::size_t((y - top) * (right - left) + x - left)]; }
};

Canvas::Canvas(double width, double height, double scale)
    : width_(std::lround(width * scale)), height_(std::lround(height * scale)), scale_(scale) {
  pixels_ = engine::Tensor::full({height_, width_, 3}, 255, engine::Dtype::u8);
}

Points Canvas::pixels_of(const Points& points) const {
  Points out;
  for (const auto& [x, y] : points) out.push_back({(x + x_) * scale_, (y + y_) * scale_});
  return out;
}

/// An empty coverage of the pixels that the lines come near to.
Canvas::Coverage Canvas::around(const std::vector<Points>& lines, double margin) const {
  constexpr double far = std::numeric_limits<double>::max();
  double left = far, top = far, right = -far, bottom = -far;
  for (const Points& line : lines)
    for (const auto& [x, y] : line)
      left = std::min(left, x), right = std::max(right, x), top = std::min(top, y), bottom = std::max(bottom, y);
  const auto within = [&](double v, std::int64_t end) { return std::int64_t(std::clamp(std::floor(v), 0.0, double(end))); };
  Coverage c{within(left - margin, width_),
             within(top - margin, height_),
             within(right + margin + 1, width_),
             within(bottom + margin + 1, height_),
             {}};
  c.share.assign(std::size_t(std::max<std::int64_t>(0, c.right - c.left) * std::max<std::int64_t>(0, c.bottom - c.top)), 0);
  return c;
}

void Canvas::blend(const Coverage& c, const std::string& colour, double opacity) {
  const Rgb ink = rgb(colour);
  auto share = c.share.begin();
  for (std::int64_t y = c.top; y < c.bottom; ++y) {
    auto* pixel = pixels_.data<std::uint8_t>() + (y * width_ + c.left) * 3;
    for (std::int64_t x = c.left; x < c.right; ++x, ++share)
      for (std::size_t k = 0; k < 3; ++k, ++pixel)
        *pixel = std::uint8_t(std::lround(*pixel + opacity * double(*share) * (ink[k] - *pixel)));
  }
}

/// Of lines that meet, a pixel takes the one that covers most of it: joints are no darker than the rest.
void Canvas::strokes(const std::vector<Points>& lines, const Pen& pen) {
  const double half = pen.width * scale_ / 2;
  Coverage all = around(lines, half + 1);
  for (const Points& line : lines)
    for (std::size_t i = 1; i < line.size(); ++i) {
      const Coverage one = around({{line[i - 1], line[i]}}, half + 1);
      for (std::int64_t y = one.top; y < one.bottom; ++y)
        for (std::int64_t x = one.left; x < one.right; ++x) {
          const double d = distance(double(x) + 0.5, double(y) + 0.5, line[i - 1], line[i]);
          all.at(x, y) = std::max(all.at(x, y), float(std::clamp(half + 0.5 - d, 0.0, 1.0)));
        }
    }
  blend(all, pen.colour, pen.opacity);
}

void Canvas::line(const Points& points, const Pen& pen) {
  std::vector<Points> lines(1);
  for (const auto& point : points)
    if (std::isfinite(point.second)) lines.back().push_back(point);
    else lines.emplace_back();
  if (pen.dashed) lines = dashes(lines.front(), 3);
  for (Points& line : lines) line = pixels_of(line);
  strokes(lines, pen);
}

void Canvas::text(double x, double y, const std::string& text, const Font& font) {
  Strokes letters = strokes_of(text, font.title ? 13 : 11.5);
  x -= letters.width * (font.anchor == Anchor::start ? 0 : font.anchor == Anchor::middle ? 0.5 : 1);
  for (Points& line : letters.lines) {
    for (auto& [px, py] : line) px += x, py += y;
    line = pixels_of(line);
  }
  strokes(letters.lines, {.colour = font.colour, .width = font.title ? 1.6 : 1.0});
}

void Canvas::dot(double x, double y, const std::string& colour, const std::string& /*tip*/) {
  line({{x, y}, {x, y}}, {.colour = colour, .width = 6});
}

void Canvas::area(const std::vector<Points>& loops, const std::string& colour, double opacity) {
  constexpr int rows = 4;  // of samples in a pixel; along a row the share is exact
  std::vector<Points> lines;
  for (const Points& loop : loops) lines.push_back(pixels_of(loop));
  Coverage all = around(lines, 1);
  for (std::int64_t row = all.top * rows; row < all.bottom * rows; ++row) {
    const double y = (double(row) + 0.5) / rows;
    std::vector<double> crossings;
    for (const Points& line : lines)
      for (std::size_t i = 0; i < line.size(); ++i) {
        const auto &a = line[i], &b = line[(i + 1) % line.size()];
        if ((a.second <= y) != (b.second <= y))
          crossings.push_back(a.first + (y - a.second) / (b.second - a.second) * (b.first - a.first));
      }
    std::sort(crossings.begin(), crossings.end());
    for (std::size_t i = 1; i < crossings.size(); i += 2)
      for (std::int64_t x = std::max(all.left, std::int64_t(std::floor(crossings[i - 1])));
           x < all.right && double(x) < crossings[i]; ++x)
        all.at(x, row / rows) +=
            float(std::max(0.0, std::min(crossings[i], double(x + 1)) - std::max(crossings[i - 1], double(x))) / rows);
  }
  blend(all, colour, opacity);
}

void Canvas::image(const engine::Tensor& pixels, double width, double height, bool upside_down) {
  const std::int64_t rows = pixels.shape()[0], columns = pixels.shape()[1], channels = pixels.size() / rows / columns;
  const Coverage to = around({pixels_of({{0, 0}, {width, height}})}, 0);
  for (std::int64_t y = to.top; y < to.bottom; ++y)
    for (std::int64_t x = to.left; x < to.right; ++x) {
      const auto source = [](std::int64_t at, double begin, double scaled, std::int64_t count) {
        return std::clamp(std::int64_t((double(at) + 0.5 - begin) / scaled * double(count)), std::int64_t(0), count - 1);
      };
      const std::int64_t row = source(y, y_ * scale_, height * scale_, rows);
      const std::int64_t from =
          (upside_down ? rows - 1 - row : row) * columns + source(x, x_ * scale_, width * scale_, columns);
      for (std::int64_t k = 0; k < 3; ++k)
        pixels_.data<std::uint8_t>()[(y * width_ + x) * 3 + k] =
            pixels.data<std::uint8_t>()[from * channels + std::min(k, channels - 1)];
    }
}

std::string Canvas::png() const { return datasets::encode_png(pixels_); }

}  // namespace sagcl::tools
