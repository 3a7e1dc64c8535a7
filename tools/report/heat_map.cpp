#include "tools/report/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "datasets/formats/png.h"
#include "tools/report/html.h"

namespace sagcl::tools {
namespace {

using Rgb = std::array<double, 3>;

/// Between colours that stand at equal distances.
template <std::size_t N>
Rgb between(const std::array<Rgb, N>& stops, double share) {
  const double at = double(N - 1) * std::clamp(share, 0.0, 1.0);
  const auto i = std::size_t(std::min(at, double(N - 2)));
  Rgb colour;
  for (std::size_t c = 0; c < 3; ++c) colour[c] = stops[i][c] + (at - double(i)) * (stops[i + 1][c] - stops[i][c]);
  return colour;
}

Rgb colour_of(double v, Shades shades) {
  if (std::isnan(v)) return {238, 238, 238};
  if (shades == Shades::amount) return between<4>({{{255, 255, 255}, {158, 202, 225}, {33, 113, 181}, {8, 38, 88}}}, v);
  return between<5>({{{140, 60, 0}, {225, 120, 30}, {255, 255, 255}, {80, 160, 210}, {0, 60, 120}}}, (v + 1) / 2);
}

}  // namespace

std::string shaded(const std::vector<double>& values, std::size_t columns, double width, double height, Shades shades,
                   int pixels) {
  const std::size_t side = std::size_t(pixels), rows = values.size() / columns;
  engine::Tensor image =
      engine::Tensor::empty({std::int64_t(rows * side), std::int64_t(columns * side), 3}, engine::Dtype::u8);
  auto* out = image.data<std::uint8_t>();
  for (std::size_t y = 0; y < rows * side; ++y)
    for (std::size_t x = 0; x < columns * side; ++x)
      for (const double c : colour_of(values[y / side * columns + x / side], shades)) *out++ = std::uint8_t(std::lround(c));
  return fmt::format(
      "<image href=\"{2}\" width=\"{0}\" height=\"{1}\" preserveAspectRatio=\"none\"/>"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"none\" stroke=\"#999\"/>",
      coordinate(width), coordinate(height), png_data_uri(datasets::encode_png(image)));
}

std::string shade_scale(double width, Shades shades, const std::string& low, const std::string& high) {
  std::vector<double> ramp;
  for (int i = 0; i < 64; ++i) ramp.push_back(shades == Shades::amount ? i / 63.0 : i / 31.5 - 1);
  return shaded(ramp, 64, width, 10, shades) +
         fmt::format("<text y=\"24\">{}</text><text x=\"{}\" y=\"24\" text-anchor=\"end\">{}</text>", escaped(low),
                     coordinate(width), escaped(high));
}

std::string heat_chart(const HeatMap& map) {
  constexpr double top = 24, line = 13, width = 460;
  std::size_t longest = 0;
  for (const std::string& row : map.rows) longest = std::max(longest, row.size());
  const double left = 7.0 * double(longest) + 10, inner = width - left - 8;
  const double height = line * double(map.rows.size());
  std::string out = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"{2}\">"
      "<text x=\"4\" y=\"14\" class=\"title\">{2}</text>",
      coordinate(width), coordinate(top + height + 58), escaped(map.title));
  for (std::size_t r = 0; r < map.rows.size(); ++r)
    out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", coordinate(left - 6),
                       coordinate(top + line * double(r) + 10), escaped(map.rows[r]));
  out += fmt::format("<g transform=\"translate({} {})\">{}</g>", coordinate(left), coordinate(top),
                     shaded(map.values, map.steps.size(), inner, height, map.shades));
  out += fmt::format("<text x=\"{0}\" y=\"{2}\">{3:g}</text><text x=\"{1}\" y=\"{2}\" text-anchor=\"end\">step {4:g}</text>",
                     coordinate(left), coordinate(left + inner), coordinate(top + height + 13), map.steps.front(),
                     map.steps.back());
  out += fmt::format("<g transform=\"translate({} {})\">{}</g>", coordinate(left), coordinate(top + height + 24),
                     shade_scale(std::min(220.0, inner), map.shades, map.low, map.high));
  return out + "</svg>\n";
}

}  // namespace sagcl::tools
