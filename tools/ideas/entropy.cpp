#include <fmt/format.h>

#include "semiagcl/sampling.h"
#include "tools/ideas/ideas.h"
#include "tools/ideas/picture.h"
#include "tools/report/contour.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"
#include "tools/report/patch_picture.h"

namespace sagcl::tools {

using semiagcl::Method;
using semiagcl::Score;

namespace {

constexpr double side = 208, step = 220;
constexpr std::int64_t gland = 1;
const std::vector<std::string> colours = {"#56b4e9", "#ffa41b"};  // of the frames, by class

/// The attended image X' = X ⊙ C of class gland, [1,H,W,1].
Tensor attended(const Tensor& unit, const Tensor& map) {
  Tensor x = unit.reshape({1, unit.shape()[2], unit.shape()[3], 1}).clone();
  for (std::int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] *= map.data<float>()[2 * i + gland];
  return x;
}

/// The patches that count for each class.
std::vector<std::vector<std::int64_t>> counted(const semiagcl::Picks& picks) {
  std::vector<std::vector<std::int64_t>> all;
  const std::int64_t n = picks.patch.shape()[1];
  for (std::int64_t k = 0; k < picks.patch.shape()[0]; ++k) {
    const std::int32_t* row = picks.patch.data<std::int32_t>() + k * n;
    all.emplace_back(row, row + picks.counted.data<std::int32_t>()[k]);
  }
  return all;
}

}  // namespace

IdeaPicture entropy_picture(Subject& s) {
  Method m = s.settings.method;
  const PatchGrid grid{m.patch_grid[1], m.patch_grid[2], side, side};
  const Tensor map = probabilities(*s.teacher, s.tile), confidence = semiagcl::patch_confidence(map, m.patch_grid);
  const Tensor unit = semiagcl::unit_range(s.tile, m.low_percentile, m.high_percentile);
  std::vector<std::string> entropies;
  const std::vector<double> score = semiagcl::patch_entropy(unit, map, m.patch_grid).to_doubles();
  for (std::size_t p = gland; p < score.size(); p += 2) entropies.push_back(fmt::format("{:.2f}", score[p]));

  const std::string truth = fmt::format(
      "<g transform=\"scale({})\"><path d=\"{}\" fill=\"none\" stroke=\"#fff\" vector-effect=\"non-scaling-stroke\" "
      "stroke-width=\"1.5\" stroke-dasharray=\"4 3\"/></g>",
      side / double(s.truth.shape()[1]), outline(plane_of(s.truth, 0, 0), gland));
  std::vector<Piece> pieces = {{12, 10, text_line("X' of gland, with Ent in nats", true)},
                               {12, 30,
                                fmt::format("<image href=\"{0}\" width=\"{1}\" height=\"{1}\"/>",
                                            png_data_uri(plane_png(attended(unit, map), 0, 0)), side) +
                                    truth + words_in_patches(entropies, grid)}};
  const std::pair<const char*, Score> scores[] = {
      {"chosen by entropy", Score::entropy}, {"by class confidence", Score::confidence}, {"by cosine", Score::cosine}};
  std::string tile = "<g id=\"tile\">" + tile_with_grid(s, side) + "</g>";
  for (std::size_t k = 0; k < 3; ++k) {
    m.score = scores[k].second;
    const semiagcl::Picks picks = class_centric_patches(sampling_score(s.tile, map, m), confidence, m);
    pieces.push_back({12 + double(k + 1) * step, 10, text_line(scores[k].first, true)});
    pieces.push_back({12 + double(k + 1) * step, 30, tile + patch_frames(counted(picks), grid, colours)});
    tile = "<use href=\"#tile\"/>";
  }
  pieces.push_back({12, 244, text_line("dashed: the true glands")});
  pieces.push_back({12 + step, 244, frame_key(colours[gland], "positives of gland")});
  pieces.push_back({12 + step + 150, 244, frame_key(colours[0], "positives of background")});
  return {"entropy-sampling.svg",
          picture("The patches that entropy, class confidence and cosine choose", 4 * step + 12, 268, pieces)};
}

}  // namespace sagcl::tools
