#pragma once
#include <map>
#include <memory>
#include <vector>

#include "layers/segmenter.h"

namespace sagcl::layers {

/// Training passes of a segmenter that the device records once and replays (CUDA graphs): its few hundred kernels, forward
/// and backward, start with one call each, so that a small network does not wait for the host. The results have the same
/// bits. Losses and everything a method decides between the passes stay as they are.
///
/// The first pass of a kind (shape, switches) runs as always, so that libraries make their choices; the second is recorded.
/// Passes in evaluation mode, under an Observer, or on a device that cannot record always run as always.
class Replay {
 public:
  struct Options {
    bool enabled = true;               ///< false: every pass runs as always
    bool bottleneck_gradient = false;  ///< gradients may arrive at Segmentation::bottleneck too; else they are dropped
    bool lasting_gradients = false;    ///< parameters' gradients outlive the next pass; else that overwrites them
  };
  Replay(Segmenter& network, Options options);
  ~Replay();

  /// As network.forward(x, pass); x wants no gradient.
  Segmentation forward(const Variable& x, const Pass& pass);

 private:
  /// What a recording is good for.
  struct Kind {
    std::vector<std::int64_t> shape;
    bool gradients, update_statistics, dropout;
    auto operator<=>(const Kind&) const = default;
  };
  class Recorded;
  Segmenter& network_;
  Options options_;
  std::map<Kind, std::unique_ptr<Recorded>> recorded_;  // null: has run once
};

}  // namespace sagcl::layers
