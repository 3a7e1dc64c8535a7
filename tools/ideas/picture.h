#pragma once
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "tools/report/chart.h"

namespace sagcl::tools {

// Pictures for pages of text: SVG files that stand alone. They bring their own light card, so a dark page may surround them.

/// A piece of inline SVG and where its upper left corner goes.
struct Piece {
  double x = 0, y = 0;
  std::string svg;
};

/// A file with these pieces; `title` is what a screen reader says.
std::string picture(const std::string& title, double width, double height, const std::vector<Piece>& pieces);

/// A line of text, 16 high; bold for a panel's title.
std::string text_line(const std::string& text, bool bold = false);

/// A square of `side` with a matrix [N,N] of values in [0,1]: 0 is white, 1 dark blue.
std::string heat_map(const engine::Tensor& matrix, double side);

/// The scale of heat_map, lying, with 0 and 1 at its ends.
std::string heat_scale(double width);

/// How the values are distributed: per cent of them in each of `bins` equal parts of [low, high], for a line chart.
Series distribution(const std::string& name, const std::string& colour, const std::vector<double>& values, double low,
                    double high, int bins);

}  // namespace sagcl::tools
