#pragma once
#include <limits>

namespace sagcl::tools {

/// How much of what missing labels cost a method wins back: (method − supervised) / (all − supervised), Dice of the method,
/// of supervised training with the same few labels, and of supervised training with all labels. Below 0 for a method that
/// harms; NaN where all labels are no better than few, so that there is nothing to win.
inline double recovered_share(double method, double supervised, double all) {
  return all > supervised ? (method - supervised) / (all - supervised) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace sagcl::tools
