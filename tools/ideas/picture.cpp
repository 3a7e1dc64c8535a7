#include "tools/ideas/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "datasets/formats/png.h"
#include "tools/report/html.h"

namespace sagcl::tools {

using engine::Tensor;

namespace {

/// One hue from light to dark, which every eye can order.
std::array<std::uint8_t, 3> shade(double v) {
  constexpr double stops[4][3] = {{255, 255, 255}, {158, 202, 225}, {33, 113, 181}, {8, 38, 88}};
  const double at = 3 * std::clamp(v, 0.0, 1.0);
  const auto i = std::size_t(std::min(at, 2.0));
  std::array<std::uint8_t, 3> colour;
  for (std::size_t c = 0; c < 3; ++c)
    colour[c] = std::uint8_t(std::lround(stops[i][c] + (at - double(i)) * (stops[i + 1][c] - stops[i][c])));
  return colour;
}

/// Values [rows x columns] as squares of so many pixels, framed.
std::string shaded(const std::vector<double>& values, std::int64_t columns, std::int64_t pixels, double width,
                   double height) {
  const std::int64_t rows = std::int64_t(values.size()) / columns;
  Tensor image = Tensor::empty({rows * pixels, columns * pixels, 3}, engine::Dtype::u8);
  auto* out = image.data<std::uint8_t>();
  for (std::int64_t y = 0; y < rows * pixels; ++y)
    for (std::int64_t x = 0; x < columns * pixels; ++x)
      for (std::uint8_t c : shade(values[std::size_t(y / pixels * columns + x / pixels)])) *out++ = c;
  return fmt::format(
      "<image href=\"{2}\" width=\"{0}\" height=\"{1}\" preserveAspectRatio=\"none\"/>"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"none\" stroke=\"#999\"/>",
      coordinate(width), coordinate(height), png_data_uri(datasets::encode_png(image)));
}

}  // namespace

std::string picture(const std::string& title, double width, double height, const std::vector<Piece>& pieces) {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
      "font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"#1d2430\">\n<title>{2}</title>"
      "<style>.title{{font-weight:600}}</style>\n<rect width=\"{0}\" height=\"{1}\" rx=\"8\" fill=\"#fff\"/>\n",
      coordinate(width), coordinate(height), escaped(title));
  for (const Piece& piece : pieces)
    out += fmt::format("<g transform=\"translate({} {})\">{}</g>\n", coordinate(piece.x), coordinate(piece.y), piece.svg);
  return out + "</svg>\n";
}

std::string text_line(const std::string& text, bool bold) {
  return fmt::format("<text y=\"12\"{}>{}</text>", bold ? " class=\"title\"" : "", escaped(text));
}

std::string heat_map(const Tensor& matrix, double side) {
  engine::require(matrix.shape().rank() == 2, "heat_map: expected a matrix, got {}", matrix.shape());
  return shaded(matrix.to_doubles(), matrix.shape()[1], 8, side, side);
}

std::string heat_scale(double width) {
  std::vector<double> ramp;
  for (int i = 0; i < 64; ++i) ramp.push_back(i / 63.0);
  return shaded(ramp, 64, 1, width, 10) +
         fmt::format("<text y=\"24\">0</text><text x=\"{}\" y=\"24\" text-anchor=\"end\">1</text>", coordinate(width));
}

Series distribution(const std::string& name, const std::string& colour, const std::vector<double>& values, double low,
                    double high, int bins) {
  std::vector<double> count(std::size_t(bins), 0.0);
  for (double v : values)
    count[std::size_t(std::clamp(int((v - low) / (high - low) * bins), 0, bins - 1))] += 100 / double(values.size());
  Series series{.name = name, .colour = colour, .points = {}};
  for (int b = 0; b < bins; ++b) series.points.push_back({low + (b + 0.5) * (high - low) / bins, count[std::size_t(b)]});
  return series;
}

}  // namespace sagcl::tools
