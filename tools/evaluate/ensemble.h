#pragma once
#include <string>
#include <vector>

#include "datasets/volume.h"
#include "semiagcl/evaluation/inference.h"
#include "tools/evaluate/trained_network.h"

namespace sagcl::tools {

/// Networks that answer together, by the mean of their class probabilities; each sees an image behind the preprocessing of
/// its own run. One network alone answers plane by plane; for several the mean of all classes is in memory, 4 bytes a voxel
/// and class.
class Ensemble {
 public:
  /// UsageError that names the two files where the members differ in what an answer must have in common: kind of network,
  /// channels, names of the classes, evaluation.largest_component. `sources` names the members in messages.
  Ensemble(std::vector<TrainedNetwork> members, std::vector<std::string> sources);

  const TrainedNetwork& first() const { return members_[0]; }
  std::vector<TrainedNetwork>& members() { return members_; }

  /// The classes of every voxel, u8 [D, H, W]; `image` as the file has it. Same meaning of `events` as semiagcl::predict.
  /// DataError with `file` where a member cannot normalise it.
  engine::Tensor predict(datasets::Image image, const std::string& file, engine::Device device,
                         const semiagcl::PredictionEvents& events);

 private:
  std::vector<TrainedNetwork> members_;
};

}  // namespace sagcl::tools
