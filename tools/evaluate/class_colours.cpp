#include "tools/evaluate/class_colours.h"

#include <array>

namespace sagcl::tools {

datasets::Colour class_colour(std::size_t k) {
  static constexpr std::array<datasets::Colour, 6> few = {
      {{230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {213, 94, 0}, {204, 121, 167}}};
  return k == 0 ? datasets::Colour{0, 0, 0} : few[(k - 1) % few.size()];
}

}  // namespace sagcl::tools
