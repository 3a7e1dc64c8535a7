#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datasets/batches.h"
#include "engine/safetensors.h"
#include "layers/segmenter.h"
#include "semiagcl/training/objective.h"
#include "semiagcl/training/settings.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// What terms() found in one shard of the batch and after_update() will use, by name.
using Findings = std::map<std::string, Tensor>;

/// What a method sees of one shard of a training step, usually the whole batch. All tensors are on the training device, and
/// what changes from step to step is read there only: a recorded step is replayed with other batches, numbers and keys.
struct StepInput {
  const datasets::Batch& batch;               ///< labelled samples first
  const layers::Segmentation& student;        ///< of the strong view of all samples
  layers::Segmenter& network;                 ///< the student itself, for further passes
  Tensor ramp;                                ///< f64 [1]: how far Eq. 8's terms have risen at this step
  Tensor number;                              ///< f64 [1]: the method's own, see TrainingMethod::number
  engine::Generator random;                   ///< of this step and shard; only next_key() of it and its forks
  Findings& found;                            ///< to be filled; empty at first
};

/// What a method may change after the optimiser's step.
struct StepUpdate {
  layers::Segmenter& student;
  Tensor alpha;                               ///< f64 [1]: ema_alpha of this step
  Tensor open;                                ///< f64 [1]: where 0, the step's loss was not finite and nothing may change
  const std::vector<Findings>& shards;        ///< what was found in all shards of the batch, in order; the same in every process
};

/// A way to train a segmenter from few labels: what the unlabelled half of the batch adds to the supervised loss. Each
/// method is one file; trainer, data and networks are shared.
class TrainingMethod {
 public:
  virtual ~TrainingMethod() = default;

  virtual bool uses_unlabelled() const = 0;

  /// Called once when the warm-up ends, or before the first step without one or with average_warm_up: a teacher starts from
  /// the student.
  virtual void begin(layers::Segmenter& /*student*/) {}

  /// After a step of a warm-up that is averaged: a teacher follows the student, running statistics too.
  virtual void warm_up(const StepUpdate& /*update*/) {}

  /// A number that the kernels of terms() read and that depends on the share of the run's steps that are done, in [0, 1).
  virtual double number(double /*progress*/) const { return 0; }

  /// The terms beside the supervised one. Must not change any state a second call would see but running statistics: every
  /// shard of the batch starts from the same state, and after a non-finite loss a shard is run again under observation.
  virtual std::vector<Term> terms(StepInput& /*in*/) { return {}; }

  /// After the optimiser's step: averages the teacher, stores keys, moves thresholds.
  virtual void after_update(const StepUpdate& /*update*/) {}

  /// Modules of the method that the optimiser trains, by name; e.g. a projection head.
  virtual std::vector<std::pair<std::string, layers::Module*>> trained_modules() { return {}; }

  /// All modules of the method, trained or not: their weights and running statistics are equal in every process.
  virtual std::vector<layers::Module*> modules() { return {}; }

  /// The averaged network, if there is one and it has begun.
  virtual layers::Segmenter* teacher() { return nullptr; }

  /// Numbers worth a line in the log beside the loss terms (thresholds, mean affinity, …): tensors of one element on the device.
  virtual std::map<std::string, Tensor> observations() const { return {}; }

  /// State for a checkpoint and back, under names that begin with "method/".
  virtual void store(engine::TensorFile& /*content*/) const {}
  virtual void load(const engine::TensorFile& /*content*/, const std::string& /*source*/) {}
};

/// What the registry knows of a method.
struct MethodEntry {
  const char* name;
  const char* line;   ///< what it is, in a line
  const char* paper;
  std::unique_ptr<TrainingMethod> (*make)(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);
};

/// All methods, in the order of --list-methods.
const std::vector<MethodEntry>& training_methods();

/// UsageError listing the names for an unknown one.
std::unique_ptr<TrainingMethod> make_training_method(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

}  // namespace sagcl::semiagcl
