#pragma once
#include "datasets/formats/png.h"

namespace sagcl::tools {

/// How a class is drawn: black for the background, then colours that stay apart for everyone (Okabe and Ito's), which repeat
/// where there are more classes.
datasets::Colour class_colour(std::size_t k);

}  // namespace sagcl::tools
