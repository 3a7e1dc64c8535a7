#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>

#include "semiagcl/baselines/registry.h"
#include "semiagcl/training/batch_feed.h"
#include "semiagcl/training/phases.h"
#include "semiagcl/training/shards.h"
#include "semiagcl/training/tensor_hashes.h"
#include "semiagcl/training/tensor_watch.h"
#include "semiagcl/training/training_step.h"

namespace sagcl::semiagcl {

/// The cases a run learns from, in memory. Labels of `unlabelled` are not there.
struct TrainingData {
  std::vector<datasets::Sample> labelled, unlabelled;
  std::int64_t channels = 1, classes = 2;
};

/// What one step did.
struct StepReport {
  std::int64_t step = 0;  ///< steps done, this one included
  double ramp = 0, learning_rate = 0;
  StepValues values = {};
  double seconds = 0;
  std::optional<TermGradients> gradients = {};  ///< in the first process where debug.grads_every says so; of the first shard
  /// in the first process where debug.watch says so: the tensors of the step that fit, maybe none
  std::optional<Watched> watched = {};
  TensorHashes hashes = {};  ///< in the first process where debug.hashes says so: batch, gradients, weights
  /// at the end of the warm-up of a run that may restart: classes that no voxel of the labelled training cases is given
  std::vector<std::int64_t> unpredicted = {};
  bool restarted = false;  ///< the run begins again with other weights, since some are unpredicted
};

/// One training run, advanced step by step through its method's phases. Everything random is a function of the seed and the
/// step, so a run loaded from a checkpoint goes on bit for bit. The shards of a batch may be divided among several
/// processes, each with a trainer: they take the same steps and have the same bits, however many they are.
class Trainer {
 public:
  /// `data` and `ranks` must outlive the trainer. UsageError if data, batch, shards and processes do not fit together.
  Trainer(const RunSettings& settings, const TrainingData& data, engine::Device device,
          engine::Communicator& ranks = engine::alone());

  Trainer(const Trainer&) = delete;

  /// Takes the student's weights from `file`: of a checkpoint the student, else a network in PyTorch's order
  /// (layers::load_pytorch). DataError if they do not fit. Before the first step.
  void start_from(const std::filesystem::path& file);

  std::int64_t steps_done() const { return step_; }
  std::int64_t attempt() const { return attempt_; }  ///< how often the run was started again
  bool finished() const { return step_ >= settings_.train.steps; }
  const Phases& phases() const { return phases_; }

  /// One step; collective where there are several processes. With one shard the device may still be at work on return.
  void advance();

  /// What each term of the loss does to each layer in the step that comes next, or in this process's first shard of it, or
  /// with the batch of a step that is `ahead` of it; behind them the terms `beside`, which are not of the loss. Nothing
  /// changes. A finished run gives one more step.
  GradientsOfTerms gradients_of_terms(const Objective& beside = {}, std::int64_t ahead = 0);
  /// Forward and backward of that step, or shard, under observation. Nothing changes.
  void observe(autograd::Observer& observer);
  /// The tensors of that step, or shard, whose names fit: of operations, of parameters ("…:value" and "…:grad", the
  /// teacher's as "teacher/…"), and what the method shows. Nothing changes.
  TensorWatch watch(const std::vector<std::string>& patterns);

  /// Of every trained parameter, how the gradient of that step's loss, or shard's, compares with difference quotients, all
  /// in f64: the trainer converts itself for it, and can do nothing else afterwards.
  std::vector<CheckedParameter> check_gradients(const autograd::GradcheckOptions& options,
                                                const std::function<bool(const std::string& parameter)>& wanted);

  /// What the steps since the last call did; waits for the device. Where a loss was not finite, this, advance() or
  /// checkpoint(), whichever looks first, throws engine::NonFiniteError naming the operation that first produced NaN or
  /// infinity. That step and those behind it have then not happened: weights, averages and stored keys are those of the step
  /// before, only running statistics have moved. After any other error a step may be half done: go on from a checkpoint.
  std::vector<StepReport> reports();

  layers::Segmenter& student() { return *student_; }
  layers::Segmenter* teacher() { return method_->teacher(); }
  bool averages() const { return method_->averages(); }  ///< there is a teacher, or there will be one
  layers::Segmenter& evaluated();                        ///< student or teacher, as the settings say
  double seconds_waited() const { return waited_ + batches_->seconds_waited(); }  ///< for batches, by this process
  const RunSettings& settings() const { return settings_; }

  /// The whole state (checkpoint.h); NonFiniteError if a weight is not finite: a bad state never becomes a checkpoint.
  engine::TensorFile checkpoint();
  void restore(const engine::TensorFile& content, const std::string& source);

 private:
  const Phase& phase() const { return phases_[phases_.at(step_)]; }
  bool whole_batches() const { return settings_.train.shards == 1; }
  void draw_network();
  void begin_phase();                         ///< a fresh optimiser, its work on the device and its batches
  void feed_batches(std::int64_t ahead = 0);  ///< from step_ + ahead on
  datasets::Batch next_shard();
  /// Does something with the step that comes next and leaves everything as it was; `restore` does so in between.
  using Look = std::function<void(const datasets::Batch&, const engine::Generator&, const std::function<void()>& restore)>;
  void look(const Look& work, std::int64_t ahead = 0);
  void look_inside(StepReport& report);  ///< as the settings in [debug] want it, before the step
  void write_hashes(const layers::NamedGradients& gradients, TensorHashes batches);
  bool hashes_are_due() const;
  void step_on_whole_batch();
  void step_on_shards();
  void complete_reports();                 ///< reads the log; waits
  void take_back_from(std::int64_t step);  ///< steps that changed nothing, because the loss of the first was not finite
  void start_again();
  std::vector<std::int64_t> unpredicted_classes();
  /// the student, the teacher and the method's own that are in use, with their prefixes in checkpoints
  NamedModules modules();
  engine::Generator random_of(std::int64_t step, std::int64_t shard) const;
  TrainingStep::Numbers numbers_of(std::int64_t step) const;

  RunSettings settings_;
  std::vector<WatchPattern> watch_;  ///< debug.watch
  const TrainingData& data_;
  engine::Device device_;
  engine::Communicator& ranks_;
  layers::SegmenterSpec spec_;
  std::int64_t step_ = 0, attempt_ = 0;
  std::unique_ptr<layers::Segmenter> student_;
  std::unique_ptr<TrainingMethod> method_;
  Phases phases_;

  // Of the current phase.
  std::unique_ptr<TrainingStep> work_;
  std::unique_ptr<StepLog> log_;
  std::unique_ptr<BatchFeed> batches_;
  double waited_ = 0;  ///< for those that were fed before these

  /// steps whose values are in the log alone, and those that wait for reports()
  std::vector<StepReport> incomplete_, complete_;
  std::chrono::steady_clock::time_point clock_;  ///< when the first incomplete step began
};

}  // namespace sagcl::semiagcl
