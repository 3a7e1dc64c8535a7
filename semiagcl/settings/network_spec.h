#pragma once
#include "layers/segmenter.h"
#include "semiagcl/settings/settings.h"

namespace sagcl::semiagcl {

/// The network that the settings describe, for images of so many channels. UsageError for halvings that there cannot be.
inline layers::SegmenterSpec network_spec(const NetworkSettings& s, std::int64_t channels, std::int64_t classes) {
  layers::SegmenterSpec spec{.in_channels = channels, .classes = classes, .width = s.width};
  bool fits = s.halvings.size() == 3;
  for (std::size_t a = 0; fits && a < 3; ++a)
    fits = s.halvings[a] >= 0 && s.halvings[a] <= 4, spec.halvings[int(a)] = s.halvings[a];
  engine::require<engine::UsageError>(
      fits, "network.halvings = [{}]: how many of the network's four steps halve D, H and W, 0 to 4 each",
      fmt::join(s.halvings, ", "));
  return spec;
}

}  // namespace sagcl::semiagcl
