#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "tools/report/contour.h"

namespace sagcl::tools {

using engine::Tensor;

/// One case as a picture: the image, and classes of truth and prediction on it. The masks may have other extents than the
/// image (a run that works at another size); they are drawn over the same place.
struct OverlayCase {
  Tensor image;                               ///< f32 [D, H, W, C], C = 1 or 3; of more channels the first is shown
  Tensor prediction, truth;                   ///< u8 [D, H, W]
  std::array<double, 3> spacing = {1, 1, 1};  ///< along D, H, W
  /// draw rows from the bottom up, as volumes with y towards the front are seen
  bool upside_down = false;
};

/// Colours of the foreground classes on grey and coloured images, class 1 first.
const std::vector<std::string>& class_colours();

/// Inline SVG figures: for an image the image, for a volume three orthogonal planes through the middle of the truth (of the
/// prediction where the truth is empty, of the volume where both are). Truth is a tinted area, the prediction a line.
std::vector<std::string> overlay_figures(const OverlayCase& one);

/// The first of those planes as PNG, its longer side of so many pixels: for programs that show no SVG.
struct OverlayPicture {
  std::string png;
  std::int64_t height = 0, width = 0;
};
OverlayPicture overlay_picture(const OverlayCase& one, double longest = 320);

/// An image as training sees it, as OverlayCase wants it: colours that were normalised lie between 0 and 255 again.
Tensor screen_colours(const Tensor& image);

/// The plane with index `position` along `axis` of an image [D, H, W, C] as PNG: three channels of 0..255 as RGB, else the
/// first channel from black at its 0.5th to white at its 99.5th percentile.
std::string plane_png(const Tensor& image, int axis, std::int64_t position);

/// The plane with index `position` along `axis` (0, 1, 2 = D, H, W) of a mask.
ClassPlane plane_of(const Tensor& mask, int axis, std::int64_t position);

/// The classes of a plane, stretched to width x height, as a piece of SVG: as tinted areas or as lines.
std::string class_layer(const ClassPlane& plane, double width, double height, bool area);

}  // namespace sagcl::tools
