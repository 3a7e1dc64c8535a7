#pragma once
#include <string>
#include <vector>

namespace sagcl::tools {

/// What colours mean. Both can be told apart in grey and by colour-blind eyes; NaN is light grey.
enum class Shades {
  amount,     ///< 0 white … 1 dark blue
  direction,  ///< -1 orange, 0 white, 1 blue
};

/// A matrix with so many columns as rectangles in a frame, a piece of SVG. `pixels`: of a value in
/// the picture inside, so many that a viewer's smoothing does not matter.
std::string shaded(const std::vector<double>& values, std::size_t columns, double width, double height,
                   Shades shades = Shades::amount, int pixels = 8);

/// The scale of shaded(), lying, with words at its ends.
std::string shade_scale(double width, Shades shades, const std::string& low, const std::string& high);

/// A matrix with named rows over the steps of a run.
struct HeatMap {
  std::string title;
  std::vector<std::string> rows;
  std::vector<double> steps;   ///< of the columns, ascending
  std::vector<double> values;  ///< [rows, steps]
  Shades shades = Shades::amount;
  std::string low, high;  ///< what the ends of the scale mean
};

/// Inline SVG.
std::string heat_chart(const HeatMap& map);

}  // namespace sagcl::tools
