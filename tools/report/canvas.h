#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "tools/report/painter.h"

namespace sagcl::tools {

/// A white picture of pixels that is drawn on with smooth edges, where no browser can draw SVG.
class Canvas final : public Painter {
 public:
  /// `scale`: pixels per unit of every length below.
  Canvas(double width, double height, double scale);

  void origin(double x, double y) { x_ = x, y_ = y; }  ///< where (0, 0) of what follows lies

  void line(const Points& points, const Pen& pen) override;
  void text(double x, double y, const std::string& text, const Font& font) override;
  void dot(double x, double y, const std::string& colour, const std::string& tip) override;
  /// What an odd number of the closed loops surround.
  void area(const std::vector<Points>& loops, const std::string& colour, double opacity);
  /// Pixels u8 [H, W] or [H, W, 3], stretched over a rectangle at the origin; or with the last row on top.
  void image(const engine::Tensor& pixels, double width, double height, bool upside_down = false);

  std::string png() const;

 private:
  using Rgb = std::array<double, 3>;
  struct Coverage;  ///< shares of the pixels of a rectangle
  void strokes(const std::vector<Points>& lines, const Pen& pen);
  Coverage around(const std::vector<Points>& lines, double margin) const;
  void blend(const Coverage& coverage, const std::string& colour, double opacity);
  Points pixels_of(const Points& points) const;

  engine::Tensor pixels_;  // u8 [H, W, 3]
  std::int64_t width_, height_;
  double scale_, x_ = 0, y_ = 0;
};

}  // namespace sagcl::tools
