#include "tools/ideas/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/report/heat_map.h"
#include "tools/report/html.h"

namespace sagcl::tools {

using engine::Tensor;

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
  return shaded(matrix.to_doubles(), std::size_t(matrix.shape()[1]), side, side);
}

std::string heat_scale(double width) { return shade_scale(width, Shades::amount, "0", "1"); }

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
