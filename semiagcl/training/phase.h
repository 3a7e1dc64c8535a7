#pragma once
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "datasets/batches.h"
#include "engine/error.h"
#include "layers/segmenter.h"
#include "ops/specs.h"
#include "semiagcl/training/objective.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// What an objective found in one shard of the batch and the update after the step will use: a struct T of the method's own,
/// whose tensors `static constexpr Tensor T::*tensors[]` lists. The trainer clones and sends them and knows no more of them.
class Findings {
 public:
  template <class T>
  static Findings of(const T& found) {
    Findings made;
    for (Tensor T::*part : T::tensors) made.tensors_.push_back(found.*part);
    return made;
  }
  /// UsageError for another number of tensors.
  template <class T>
  T as() const {
    engine::require<engine::UsageError>(tensors_.size() == std::size(T::tensors), "findings of {} tensors read as {}",
                                        tensors_.size(), std::size(T::tensors));
    T found;
    for (std::size_t i = 0; i < tensors_.size(); ++i) found.*T::tensors[i] = tensors_[i];
    return found;
  }
  std::vector<Tensor>& tensors() { return tensors_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }  ///< some may be undefined

 private:
  std::vector<Tensor> tensors_;
};

/// What an objective is given of one shard of a training step, usually the whole batch. All tensors are on the training
/// device, and what changes from step to step is read there only: a recorded step is replayed with other batches, numbers
/// and keys. What the student sees is for the objective to decide.
struct StepInput {
  const datasets::Batch& batch;  ///< labelled samples first; weak and strong view of each
  layers::Segmenter& student;
  Tensor ramp;                ///< f64 [1]: how far the weights of Eq. 8's terms have risen
  Tensor schedule;            ///< f64 [1]: the method's own number of this step, see TrainingMethod::schedule
  engine::Generator dropout;  ///< of forward()
  engine::Generator random;   ///< the method's, of this step and shard; only next_key() of it and its forks
  Findings& found;            ///< to be set by a method that has an update of its own

  /// A training forward of the student, which is recorded; each of a step draws dropout of its own. images [N,D,H,W,C]. What
  /// its stages give goes to `stages`, if asked for.
  layers::Segmentation forward(const Tensor& images, layers::Stages* stages = nullptr);
};

/// The terms of the loss, Eq. 8's sum.
using Objective = std::function<std::vector<Term>(StepInput&)>;

/// What may change after the optimiser's step.
struct StepUpdate {
  layers::Segmenter& student;
  Tensor alpha;                         ///< f64 [1]: ema_alpha of this step
  Tensor gate;                          ///< f64 [1]: where 0, the step's loss was not finite and nothing may change
  const std::vector<Findings>& shards;  ///< what was found in all shards of the batch, in order; the same in every process
};

/// A module that a phase trains beside the student: by the student's optimiser, or by an Adam of its own whose learning rate
/// stays, as a discriminator has. What then drives which weights is the objective's business: layers::Frozen lets gradients
/// through a module that must not learn from them, and detached inputs keep them from the student.
struct TrainedModule {
  struct OwnAdam {
    double learning_rate = 1e-4;
    ops::AdamSpec spec = {};
  };
  std::string name;  ///< e.g. "projection", "discriminator"
  layers::Module* module = nullptr;
  std::optional<OwnAdam> own = {};
};

/// A stretch of a run with batches, an objective and trained modules of its own. Every phase begins with a fresh optimiser.
struct Phase {
  std::string name = {};  ///< "warm-up", "pre-training", the method's
  std::int64_t steps = 0;
  bool unlabelled = false;  ///< its batches hold unlabelled samples, too
  bool paste = false;  ///< pairs of its labelled samples swap a box (datasets::BatchSpec::paste_box), as augment.copy_paste
  bool masks = false;  ///< its batches hold masks with boxes (datasets::Batch::mask)
  bool distances = false;  ///< its batches hold signed distance maps (datasets::Batch::distance)
  /// a network that leaves a class unpredicted at the end starts again, with other weights
  bool must_predict_every_class = false;
  bool decays = true;  ///< the learning rate follows train.poly_power
  bool ramps = true;   ///< StepInput::ramp rises over its first method.ramp_share; else it is 0

  /// The terms of the loss, Eq. 8's sum. Must not change any state that a second call would see but running statistics:
  /// every shard of the batch starts from the same state, and after a loss that is not finite it is called again under
  /// observation.
  Objective objective = {};
  /// When the phase begins, also when the run starts again with other weights: a teacher starts from the student.
  std::function<void(layers::Segmenter& student)> begin = {};
  std::function<void(const StepUpdate&)> after_update = {};  ///< averages the teacher, stores keys, moves thresholds

  std::vector<TrainedModule> trained = {};  ///< beside the student
};

/// L_sup of the labelled samples in the strong view: the whole objective of supervised training.
std::vector<Term> supervised_objective(StepInput& in);

/// The term "sup" of a forward of the batch: `logits` of all its samples or of the labelled ones alone.
Term supervised_term(const StepInput& in, const Variable& logits);

/// Samples begin … begin + count - 1 of a batch tensor.
Tensor samples(const Tensor& x, std::int64_t begin, std::int64_t count);

}  // namespace sagcl::semiagcl
