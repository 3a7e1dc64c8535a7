#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tools/report/painter.h"

namespace sagcl::tools {

/// A plane of classes, row-major.
struct ClassPlane {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> classes;
  std::uint8_t at(std::int64_t y, std::int64_t x) const {
    return y < 0 || x < 0 || y >= height || x >= width ? 0 : classes[std::size_t(y * width + x)];
  }
};

/// The outline of a class as closed loops in pixel units (pixel (y, x) covers the square from (x, y) to (x + 1, y + 1)): the
/// borders between pixels, followed with the class on the left and drawn through the middles of their sides, which turns
/// stairs into slopes. Empty if the class is not in the plane.
std::vector<Points> loops_around(const ClassPlane& plane, std::uint8_t which);
/// The same as SVG path data.
std::string outline(const ClassPlane& plane, std::uint8_t which);

}  // namespace sagcl::tools
