#pragma once
#include <functional>
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

/// What an objective found in one shard of the batch and the update after the step will use, by name.
using Findings = std::map<std::string, Tensor>;

/// What an objective is given of one shard of a training step, usually the whole batch. All tensors are on the training
/// device, and what changes from step to step is read there only: a recorded step is replayed with other batches, numbers
/// and keys. What the student sees is for the objective to decide.
struct StepInput {
  const datasets::Batch& batch;  ///< labelled samples first; weak and strong view of each
  layers::Segmenter& student;
  Tensor ramp;                ///< f64 [1]: how far the weights of Eq. 8's terms have risen
  Tensor schedule;            ///< f64 [1]: the method's own number of this step, see TrainingMethod::schedule
  engine::Generator dropout;  ///< of look()
  engine::Generator random;   ///< the method's, of this step and shard; only next_key() of it and its forks
  Findings& found;            ///< to be filled; empty at first

  /// A training forward of the student, which is recorded; each of a step draws dropout of its own. images [N,D,H,W,C].
  layers::Segmentation look(const Tensor& images);
};

/// What may change after the optimiser's step.
struct StepUpdate {
  layers::Segmenter& student;
  Tensor alpha;                         ///< f64 [1]: ema_alpha of this step
  Tensor open;                          ///< f64 [1]: where 0, the step's loss was not finite and nothing may change
  const std::vector<Findings>& shards;  ///< what was found in all shards of the batch, in order; the same in every process
};

/// A stretch of a run with batches, an objective and trained modules of its own. Every phase begins with a fresh optimiser.
struct Phase {
  std::string name;  ///< "warm-up", "pre-training", the method's
  std::int64_t steps = 0;
  bool unlabelled = false;  ///< its batches hold unlabelled samples, too
  double box = 0;           ///< its batches hold a mask with a box of this share of the crop's sides; 0: none
  /// a network that leaves a class unpredicted at the end starts again, with other weights
  bool must_predict_every_class = false;
  bool decays = true;  ///< the learning rate follows train.poly_power

  /// The terms of the loss, Eq. 8's sum. Must not change any state that a second call would see but running statistics:
  /// every shard of the batch starts from the same state, and after a loss that is not finite it is called again under
  /// observation.
  std::function<std::vector<Term>(StepInput&)> objective = {};
  std::function<void(layers::Segmenter& student)> begin = {};  ///< when the phase begins: a teacher starts from the student
  std::function<void(const StepUpdate&)> after_update = {};    ///< averages the teacher, stores keys, moves thresholds

  /// beside the student, by name; e.g. a projection head
  std::vector<std::pair<std::string, layers::Module*>> trained = {};
  /// All modules of the method whose weights or running statistics move, trained or not: equal in every process.
  std::vector<layers::Module*> moving = {};
};

/// A way to train a segmenter from few labels. Each method is one file; trainer, data and networks are shared.
class TrainingMethod {
 public:
  virtual ~TrainingMethod() = default;

  /// What a run goes through, in order; the steps add up to train.steps. Called once, the functions may refer to the method.
  virtual std::vector<Phase> phases() = 0;

  /// True if its objective reads values on the host, so that a step cannot be recorded.
  virtual bool waits_for_host() const { return false; }

  /// A number that the kernels of the objective read and that depends on the share of the run's steps that are done, in [0,
  /// 1).
  virtual double schedule(double /*progress*/) const { return 0; }

  /// The averaged network, if there is one and it has begun.
  virtual layers::Segmenter* teacher() { return nullptr; }

  /// Numbers worth a line in the log beside the loss terms (thresholds, mean affinity, …): tensors of one element on the
  /// device.
  virtual std::map<std::string, Tensor> observations() const { return {}; }

  /// State for a checkpoint and back, under the names of checkpoint.h.
  virtual void store(engine::TensorFile& /*content*/) const {}
  virtual void load(const engine::TensorFile& /*content*/, const std::string& /*source*/) {}
};

/// L_sup of the labelled samples in the strong view: the whole objective of supervised training.
std::vector<Term> supervised_objective(StepInput& in);

/// The term "sup" of a look at the batch: `logits` of all its samples or of the labelled ones alone.
Term supervised_term(const StepInput& in, const Variable& logits);

/// Samples begin … begin + count - 1 of a batch tensor.
Tensor samples(const Tensor& x, std::int64_t begin, std::int64_t count);

/// What the registry knows of a method. It refers to the settings it was made with.
struct MethodEntry {
  const char* name;
  const char* line;  ///< what it is, in a line
  const char* paper;
  std::unique_ptr<TrainingMethod> (*make)(const RunSettings& settings, const layers::SegmenterSpec& spec,
                                          engine::Device device);
};

/// All methods, in the order of --list-methods.
const std::vector<MethodEntry>& training_methods();

/// UsageError listing the names for an unknown one.
std::unique_ptr<TrainingMethod> make_training_method(const RunSettings& settings, const layers::SegmenterSpec& spec,
                                                     engine::Device device);

}  // namespace sagcl::semiagcl
