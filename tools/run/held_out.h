#pragma once
#include <functional>
#include <string>
#include <vector>

#include "layers/segmenter.h"
#include "tools/evaluate/evaluation.h"
#include "tools/programs/signals.h"
#include "tools/run/run_data.h"
#include "tools/run/run_folder.h"

namespace sagcl::tools {

/// The validation and test cases of a run, read one by one whenever they are needed, and predicted as its settings say.
class HeldOut {
 public:
  /// All must outlive it.
  HeldOut(const RunData& data, const semiagcl::RunSettings& settings, engine::Device device)
      : data_(data), settings_(settings), device_(device) {}

  /// Image and label; throws what load_samples throws, and OutOfMemory naming the case.
  datasets::Sample load(const std::string& id) const;

  /// The network's classes for a sample, u8 [D, H, W].
  engine::Tensor predict(layers::Segmenter& network, const datasets::Sample& sample) const;

  /// An evaluation of no case yet, with the classes and the unit of the run.
  Evaluation evaluation() const;

  /// Calls f(sample, prediction) for each case; false if a signal came.
  template <class F>
  bool run(layers::Segmenter& network, const std::vector<std::string>& ids, F&& f) const {
    for (const std::string& id : ids) {
      if (stop_signal()) return false;
      const datasets::Sample sample = load(id);
      f(sample, predict(network, sample));
    }
    return true;
  }

  /// Mean foreground Dice and Dice per class after `step`; both masks empty count 1, voxels that nobody annotated do not
  /// count, nor in the mean a class that is in no mask of any case (as in Evaluation). `name` and `cases` as in the point.
  /// `seen`, if there is one, hears of every case and its prediction.
  using Seen = std::function<void(const datasets::Sample&, const engine::Tensor&)>;
  ValidationPoint validate(layers::Segmenter& network, const std::vector<std::string>& ids, std::int64_t step,
                           const std::string& name, const std::string& cases, const Seen& seen = {}) const;

 private:
  const RunData& data_;
  const semiagcl::RunSettings& settings_;
  engine::Device device_;
};

}  // namespace sagcl::tools
