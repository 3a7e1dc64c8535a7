#include "tools/report/patch_picture.h"

#include <fmt/format.h>

#include "tools/report/html.h"

namespace sagcl::tools {

std::string patch_lines(const PatchGrid& grid) {
  std::string path;
  for (std::int64_t i = 1; i < grid.rows; ++i)
    path += fmt::format("M0 {}H{}", coordinate(grid.height * double(i) / double(grid.rows)), coordinate(grid.width));
  for (std::int64_t i = 1; i < grid.columns; ++i)
    path += fmt::format("M{} 0V{}", coordinate(grid.width * double(i) / double(grid.columns)), coordinate(grid.height));
  return fmt::format("<path d=\"{}\" stroke=\"#fff\" stroke-opacity=\"0.7\"/>", path);
}

std::string words_in_patches(const std::vector<std::string>& words, const PatchGrid& grid) {
  std::string out;
  const double width = grid.width / double(grid.columns), height = grid.height / double(grid.rows);
  for (std::size_t p = 0; p < words.size(); ++p)
    out += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" stroke=\"#000\" stroke-width=\"3\" paint-order=\"stroke\" "
        "fill=\"#fff\">{}</text>",
        coordinate((double(std::int64_t(p) % grid.columns) + 0.5) * width),
        coordinate((double(std::int64_t(p) / grid.columns) + 0.5) * height + 4), escaped(words[p]));
  return out;
}

std::string patch_frames(const std::vector<std::vector<std::int64_t>>& patches_by_class, const PatchGrid& grid,
                         const std::vector<std::string>& colours) {
  std::string out;
  const double width = grid.width / double(grid.columns), height = grid.height / double(grid.rows);
  for (std::size_t k = 0; k < patches_by_class.size(); ++k) {
    const double gap = 3 + 5 * double(patches_by_class.size() - 1 - k);
    for (const std::int64_t p : patches_by_class[k])
      out += fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"4\"/>",
          coordinate(double(p % grid.columns) * width + gap), coordinate(double(p / grid.columns) * height + gap),
          coordinate(width - 2 * gap), coordinate(height - 2 * gap), colours[k]);
  }
  return out;
}

std::string frame_key(const std::string& colour, const std::string& text) {
  return fmt::format(
      "<rect y=\"2\" width=\"11\" height=\"11\" fill=\"none\" stroke=\"{}\" stroke-width=\"3\"/><g transform=\"translate(18 "
      "0)\"><text y=\"12\">{}</text></g>",
      colour, escaped(text));
}

}  // namespace sagcl::tools
