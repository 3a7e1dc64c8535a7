#include <fmt/format.h>

#include "ops/nuclear_norm.h"
#include "semiagcl/affinity.h"
#include "semiagcl/evaluation/inference.h"
#include "tools/ideas/ideas.h"
#include "tools/ideas/picture.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"
#include "tools/report/patch_picture.h"

namespace sagcl::tools {

using autograd::Variable;
using semiagcl::AffinityGraph;

std::string small_image(const Tensor& image, double side, std::int64_t pixels) {
  const engine::Shape& s = image.shape();
  semiagcl::DataSettings small;
  small.resize = pixels;
  Tensor bytes = semiagcl::resized_image(image.reshape({1, s[2], s[3], 3}), small).clone();
  for (std::int64_t i = 0; i < bytes.size(); ++i) bytes.data<float>()[i] *= 255;
  return fmt::format("<image href=\"{0}\" width=\"{1}\" height=\"{1}\"/>", png_data_uri(plane_png(bytes, 0, 0)),
                     coordinate(side));
}

std::string tile_with_grid(const Subject& subject, double side) {
  const std::string out = small_image(subject.tile, side, 112);  // enough for a small picture
  const engine::Extents grid = subject.settings.method.patch_grid;
  return out + patch_lines({grid[1], grid[2], side, side});
}

namespace {

/// The matrix with what Eq. 3 makes of it.
std::string panel(const std::string& title, const AffinityGraph& graph, double side) {
  const double n = double(graph.a.shape()[1]);
  const double trace = ops::trace(graph.a).value().item() / n, norm = ops::nuclear_norm(graph.a).value().item() / n;
  const Tensor matrix = graph.a.value().reshape({graph.a.shape()[1], graph.a.shape()[2]});
  return text_line(title, true) + fmt::format("<g transform=\"translate(0 20)\">{}</g>", heat_map(matrix, side)) +
         fmt::format("<g transform=\"translate(0 {})\">{}</g><g transform=\"translate(0 {})\">{}</g>", side + 26,
                     text_line(fmt::format("tr A/N {:.3f}, ‖A‖*/N {:.3f}", trace, norm)), side + 43,
                     text_line(fmt::format("difference {:.3f}, σ² {:.4f}", norm - trace, graph.sigma2.item())));
}

}  // namespace

IdeaPicture affinity_picture(Subject& s) {
  const auto graph = [&](layers::Segmenter& teacher, layers::Segmenter& student, const Tensor& view) {
    return semiagcl::affinity_graph(probabilities(teacher, s.tile), Variable(probabilities(student, view)),
                                    s.settings.method);
  };
  const double side = 200, step = 226;
  const std::string tile =
      text_line("tile with its 16 patches", true) +
      fmt::format("<g transform=\"translate(0 20)\">{}</g>", tile_with_grid(s, side)) +
      fmt::format("<g transform=\"translate(0 {})\">{}</g>", side + 26, text_line("numbered row by row, as the"));
  return {
      "affinity-graph.svg",
      picture("Affinity matrices of a tile before and after training and under noise", 4 * step + 2, 320,
              {{14, 12, tile},
               {14, 12 + side + 43, text_line("rows and columns of A")},
               {14 + step, 12, panel("untrained", graph(*s.untrained, *s.untrained, noisy(s.tile, 0.05)), side)},
               {14 + 2 * step, 12, panel("trained", graph(*s.teacher, *s.student, noisy(s.tile, 0.05)), side)},
               {14 + 3 * step, 12, panel("trained, noise of 0.3", graph(*s.teacher, *s.student, noisy(s.tile, 0.3)), side)},
               {14 + step, 286, heat_scale(side)},
               {14 + step + side + 10, 284, text_line("A_ij; row: the teacher's patch, column: the student's")}})};
}

}  // namespace sagcl::tools
