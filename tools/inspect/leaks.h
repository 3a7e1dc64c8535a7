#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/place.h"

namespace sagcl::tools {

/// Memory that steps do not give back.
struct Leak {
  std::string place;  ///< "conv in enc0.0": the operation and module that asked for it
  double blocks = 0;  ///< per step
  double bytes = 0;
};

/// Takes `steps` steps, at least 4, and finds what those of the first half asked for and nobody gave back: a state that is
/// renewed, or a queue of batches, holds blocks of the last steps alone. The most bytes first.
std::vector<Leak> find_leaks(engine::Device device, std::int64_t steps, const std::function<void()>& step);

std::string leak_text(const std::vector<Leak>& leaks, std::int64_t steps);
std::string leak_json(const std::vector<Leak>& leaks, std::int64_t steps);

}  // namespace sagcl::tools
