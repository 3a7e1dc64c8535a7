#pragma once
#include <functional>
#include <string>

#include "autograd/tape.h"

namespace sagcl::tools {

/// Where two passes over the same step part.
struct BitDifference {
  bool equal = true;
  std::int64_t operations = 0;  ///< compared, their gradients, too
  std::string where;            ///< "the result of conv in enc0.0 (record 12, ops/conv.cpp:41), [2, 1, 8, 8, 4]"
};

/// Takes a step twice under observation, first with one thread, then with `threads`, and looks for the first operation whose
/// result has other bits, or, where all results are equal, the first of the backward pass whose gradient has.
BitDifference compare_bits(const std::function<void(autograd::Observer&)>& step, int threads);

std::string bits_text(const BitDifference& found, int threads);
std::string bits_json(const BitDifference& found, int threads);

}  // namespace sagcl::tools
