#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sagcl::tools {

// Pieces of SVG over a picture that is divided into patches, numbered row by row.

struct PatchGrid {
  std::int64_t rows = 1, columns = 1;
  double width = 0, height = 0;  ///< of the picture
};

/// The lines between the patches.
std::string patch_lines(const PatchGrid& grid);

/// A word in the middle of each patch.
std::string words_in_patches(const std::vector<std::string>& words, const PatchGrid& grid);

/// Frames around the patches of each class, in its colour; a patch may have several, the last class's outside.
std::string patch_frames(const std::vector<std::vector<std::int64_t>>& patches_by_class, const PatchGrid& grid,
                         const std::vector<std::string>& colours);

/// What a colour of the frames stands for, 16 high.
std::string frame_key(const std::string& colour, const std::string& text);

}  // namespace sagcl::tools
