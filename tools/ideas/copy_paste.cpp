#include "semiagcl/copy_paste.h"

#include <fmt/format.h>

#include <algorithm>

#include "semiagcl/training/phase.h"
#include "tools/ideas/ideas.h"
#include "tools/ideas/picture.h"
#include "tools/report/contour.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"

namespace sagcl::tools {

namespace {

constexpr double side = 208, step = 220;

/// M of [H,W]: 0 in a box of two thirds of the side, 1 outside.
struct BoxMask {
  std::int64_t size, top, left, box;
  explicit BoxMask(std::int64_t n) : size(n), top(n / 8), left(n / 4), box(2 * n / 3) {}
  Tensor mask() const {
    Tensor m = Tensor::full({1, 1, size, size}, 1);
    for (std::int64_t h = top; h < top + box; ++h) std::fill_n(m.data<float>() + h * size + left, box, 0.0f);
    return m;
  }
  std::string frame() const {
    const double cell = side / double(size);
    return fmt::format(
        "<rect x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{2}\" fill=\"none\" stroke=\"#ffa41b\" stroke-width=\"2\"/>",
        coordinate(double(left) * cell), coordinate(double(top) * cell), coordinate(double(box) * cell));
  }
};

}  // namespace

IdeaPicture copy_paste_picture(Subject& s) {
  const BoxMask m(s.tile.shape()[2]);
  const Tensor b = semiagcl::samples(s.training, 0, 1), mixed = semiagcl::BothWays(m.mask()).mix(s.tile, b);
  const std::pair<const char*, Tensor> panels[] = {{"a: the truth is known", s.tile},
                                                   {"b: it is not", b},
                                                   {"a ⊙ M + b ⊙ (1 − M)", semiagcl::samples(mixed, 0, 1)},
                                                   {"b ⊙ M + a ⊙ (1 − M)", semiagcl::samples(mixed, 1, 1)}};
  const char* below[] = {"frame: the box where M is 0", "the teacher answers for it", "truth outside, teacher in the box",
                         "teacher outside, truth in the box"};
  std::vector<Piece> pieces;
  for (std::size_t p = 0; p < 4; ++p) {
    const double x = 12 + double(p) * step;
    pieces.push_back({x, 10, text_line(panels[p].first, true)});
    pieces.push_back({x, 30, small_image(panels[p].second, side, 72) + m.frame()});
    pieces.push_back({x, 244, text_line(below[p])});
  }
  return {"copy-paste.svg", picture("Two tiles and what the mask M makes of them", 4 * step + 12, 268, pieces)};
}

}  // namespace sagcl::tools
