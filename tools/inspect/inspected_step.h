#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "semiagcl/training/trainer.h"
#include "tools/run/run_data.h"

namespace sagcl::tools {

/// What sagcl-inspect is to look at: a run folder, or the beginning of the run that a preset and data describe.
struct InspectedStepSpec {
  std::filesystem::path run, checkpoint;  ///< a checkpoint of the run, or empty: the newest before `step`
  std::string preset, data;
  std::vector<std::string> set;  ///< key=value; of a run only what may change (with_what_may_change)
  std::int64_t step = 0;         ///< counted from 1; 0: the first behind the checkpoint
  std::string device = "auto";
};

/// A training that stands right before one of its steps. Nothing is written to its folder.
class InspectedStep {
 public:
  /// Reads a checkpoint and takes the steps from there to the one that is looked at: the same bits as in the run.
  /// UsageError where the run has no such step.
  explicit InspectedStep(const InspectedStepSpec& spec);

  semiagcl::Trainer& trainer() { return trainer_; }
  const RunData& data() const { return data_; }
  const semiagcl::RunSettings& settings() const { return settings_; }
  engine::Device device() const { return device_; }
  std::int64_t step() const { return trainer_.steps_done() + 1; }  ///< that is looked at, counted from 1
  std::string text() const;  ///< "step 1201 of 2200, phase bcp (runs/a/checkpoints/step-0001200.safetensors)"

 private:
  semiagcl::RunSettings settings_;
  engine::Device device_;
  RunData data_;
  semiagcl::Trainer trainer_;
  std::string source_;
};

}  // namespace sagcl::tools
