#include "tools/report/painter.h"

#include <fmt/format.h>

#include <cmath>

#include "tools/report/html.h"

namespace sagcl::tools {

void SvgPainter::line(const Points& points, const Pen& pen) {
  std::string path;
  bool open = false;
  for (const auto& [x, y] : points) {
    if (std::isfinite(y)) path += fmt::format("{}{} {}", open ? 'L' : 'M', coordinate(x), coordinate(y));
    open = std::isfinite(y);
  }
  svg_ += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\"", path, pen.colour);
  if (pen.width != 1) svg_ += fmt::format(" stroke-width=\"{}\" stroke-linejoin=\"round\"", pen.width);
  if (pen.opacity != 1) svg_ += fmt::format(" stroke-opacity=\"{}\"", pen.opacity);
  svg_ += pen.dashed ? " stroke-dasharray=\"3 3\"/>" : "/>";
}

void SvgPainter::text(double x, double y, const std::string& text, const Font& font) {
  constexpr const char* anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  svg_ += fmt::format("<text x=\"{}\" y=\"{}\"{}", coordinate(x), coordinate(y), anchors[int(font.anchor)]);
  if (font.title) svg_ += " class=\"title\"";
  if (font.colour != Font{}.colour) svg_ += fmt::format(" fill=\"{}\"", font.colour);
  svg_ += ">" + escaped(text) + "</text>";
}

void SvgPainter::dot(double x, double y, const std::string& colour, const std::string& tip) {
  svg_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"3\" fill=\"{}\"><title>{}</title></circle>", coordinate(x),
                      coordinate(y), colour, escaped(tip));
}

}  // namespace sagcl::tools
