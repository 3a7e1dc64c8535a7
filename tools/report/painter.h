#pragma once
#include <string>
#include <utility>
#include <vector>

namespace sagcl::tools {

using Points = std::vector<std::pair<double, double>>;  ///< x to the right, y down where it is a place in a picture

/// What charts are drawn with: SVG for a page, pixels for a PNG (canvas.h). Colours are "#rrggbb" or "#rgb".
class Painter {
 public:
  struct Pen {
    std::string colour;
    double width = 1, opacity = 1;
    bool dashed = false;
  };
  enum class Anchor { start, middle, end };
  struct Font {
    Anchor anchor = Anchor::start;  ///< which part of the text x is
    std::string colour = "#1d2430";
    bool title = false;  ///< larger and bold
  };
  virtual ~Painter() = default;
  virtual void line(const Points& points, const Pen& pen) = 0;  ///< points whose y is not finite leave a gap
  virtual void text(double x, double y, const std::string& text, const Font& font) = 0;  ///< y: of the base line
  virtual void dot(double x, double y, const std::string& colour, const std::string& tip) = 0;
};

/// Inline SVG, piece by piece.
class SvgPainter final : public Painter {
 public:
  void line(const Points& points, const Pen& pen) override;
  void text(double x, double y, const std::string& text, const Font& font) override;
  void dot(double x, double y, const std::string& colour, const std::string& tip) override;
  const std::string& svg() const { return svg_; }

 private:
  std::string svg_;
};

}  // namespace sagcl::tools
