#pragma once
#include "autograd/gradcheck.h"
#include "engine/devices/replay.h"
#include "semiagcl/settings/settings.h"
#include "semiagcl/training/optimisers.h"
#include "semiagcl/training/phase.h"
#include "semiagcl/training/step_log.h"
#include "semiagcl/training/term_gradients.h"

namespace sagcl::semiagcl {

/// A parameter and the check of its gradient.
struct CheckedParameter {
  std::string name;
  autograd::GradcheckResult result;
};

/// The work of a phase's steps on the device: forward and backward of one shard of a batch, and the update of the weights.
/// It can be recorded and replayed, so what changes from step to step (batch, numbers, keys of random draws) lies at the
/// same place every time, and nothing here waits for the device.
class TrainingStep {
 public:
  /// Numbers that the host decides for each step.
  struct Numbers {
    double ramp = 0, schedule = 0, alpha = 0, learning_rate = 0;
  };

  /// `student` and `phase` must outlive it; fresh optimisers for both.
  TrainingStep(const RunSettings& settings, layers::Segmenter& student, const Phase& phase, engine::Device device);

  /// Puts the next step's numbers on the device.
  void prepare(const Numbers& numbers);

  /// Makes `shard` the one that is worked on, at the place where recorded work expects it.
  void take(datasets::Batch shard);
  const datasets::Batch& shard() const { return shard_; }

  /// Does `work` on the shard: directly, or recorded once and then replayed, if train.replay says so. Errors that a value
  /// which is not finite may have caused are explained.
  void run(const engine::Generator& random, const std::function<void(const engine::Generator&)>& work);

  // --- parts of `work` ------------------------------------------------------------------------------------------------

  /// Forward and backward of loss / train.shards, with random numbers of its own: gradients, findings and values are filled.
  void differentiate(const engine::Generator& random);
  /// The optimisers' step, then the method's. Nothing changes where the gate is closed.
  void update(const layers::NamedGradients& gradients, const std::vector<Findings>& shards);

  const layers::NamedGradients& gradients() const { return gradients_; }
  const Findings& found() const { return found_; }
  const StepTensors& values() const { return values_; }  ///< loss and terms

  // --- looks inside ---------------------------------------------------------------------------------------------------

  /// What each term of the loss of `shard` that counts does to the parameters, by a forward and a backward of its own, with
  /// those random numbers; behind them the terms `beside`, which are not of the loss. Running statistics move, which
  /// `restore` is to put back behind each.
  GradientsOfTerms gradients_of_terms(const datasets::Batch& shard, const engine::Generator& random, const Objective& beside,
                                      const std::function<void()>& restore);

  /// Forward and backward of `shard` under observation, and the gradients. Only running statistics move.
  layers::NamedGradients observe(const datasets::Batch& shard, const engine::Generator& random,
                                 autograd::Observer& observer);

  /// Of every parameter that is wanted, how its gradient by the tape compares with difference quotients of the loss.
  /// Everything must be in f64. Running statistics move, which `restore` is to put back behind each forward pass.
  std::vector<CheckedParameter> check_gradients(const datasets::Batch& shard, const engine::Generator& random,
                                                const autograd::GradcheckOptions& options,
                                                const std::function<bool(const std::string& parameter)>& wanted,
                                                const std::function<void()>& restore);

  // --- where a loss was not finite ------------------------------------------------------------------------------------

  /// The gate closes on the device with the first loss that is not finite, with debug.check = finite also with the first
  /// gradient; a closed one changes nothing any more.
  void open_gate();
  bool gate_is_open() const;  ///< waits for the device
  /// Throws NonFiniteError that says where in the loss of `shard` it began; returns where all is finite, unless `certain`.
  void explain(const datasets::Batch& shard, const engine::Generator& random, bool certain);

  Optimisers& optimisers() { return optimisers_; }

 private:
  void measure();
  std::vector<Term> terms_of(const Objective& objective, const datasets::Batch& shard, const engine::Generator& random,
                             Findings& found);

  const RunSettings& settings_;
  layers::Segmenter& student_;
  const Phase& phase_;
  engine::Device device_;
  Optimisers optimisers_;
  engine::Replay replay_;
  autograd::TapeOptions tape_;  // train.storage, train.recompute
  bool measured_ = false;
  datasets::Batch shard_;
  Tensor ramp_, schedule_, alpha_, gate_;  ///< f64 [1]
  layers::NamedGradients gradients_;
  Findings found_;
  StepTensors values_;
};

}  // namespace sagcl::semiagcl
