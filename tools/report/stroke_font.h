#pragma once
#include <string>
#include <vector>

#include "tools/report/painter.h"

namespace sagcl::tools {

/// A text as strokes, for pictures of pixels: letters, digits and common marks of ASCII; any other character is a box.
/// `size` as of other fonts; the text begins at (0, 0), on its base line, with y down.
struct Strokes {
  std::vector<Points> lines;  ///< a dot is a line of two equal points
  double width = 0;           ///< of the whole text
};
Strokes strokes_of(const std::string& text, double size);

}  // namespace sagcl::tools
