#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tools/report/painter.h"

namespace sagcl::tools {

/// Eight colours that remain apart for colour-blind readers (Okabe and Ito), in the order in which charts use them.
const std::vector<std::string>& palette();

struct Series {
  std::string name;
  std::string colour;
  Points points;        ///< sorted by x; points that are not finite leave a gap
  bool smooth = false;  ///< draw the points faintly and their running mean over 1/20 of the width boldly
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  double factor = 1;                                  ///< y values are shown times this, e.g. 100 for per cent
  bool from_zero = false;                             ///< the y axis starts at 0
  std::vector<std::pair<double, std::string>> marks;  ///< vertical lines with a word, e.g. the end of the warm-up
  int width = 460, height = 250;
  std::vector<double> reached = {};  ///< x values that the axis holds in any case
};

/// Axes with round numbers, a light grid, a legend. A chart without points says so.
void draw(const Chart& chart, Painter& painter);
/// The same as inline SVG.
std::string line_chart(const Chart& chart);

struct Bar {
  std::string name;
  double value = 0;
  std::string text, colour;
  std::vector<double> points = {};  ///< single values that the bar is the mean of
};

/// Inline SVG: horizontal bars from zero, name and text before each. Wider than `least_width` where the texts need it.
std::string bar_chart(const std::string& title, const std::vector<Bar>& bars, double largest, int least_width = 720);

/// About `count` round numbers (1, 2 or 5 times a power of ten apart) that lie in [low, high].
std::vector<double> round_ticks(double low, double high, int count);

}  // namespace sagcl::tools
