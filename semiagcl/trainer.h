#pragma once
#include <filesystem>

#include "layers/optimizer.h"
#include "layers/replay.h"
#include "semiagcl/batch_feed.h"
#include "semiagcl/shards.h"

namespace sagcl::semiagcl {

/// The cases a run learns from, in memory. Labels of `unlabelled` are not there.
struct TrainingData {
  std::vector<datasets::Sample> labelled, unlabelled;
  std::int64_t channels = 1, classes = 2;
};

/// What one step did.
struct StepReport {
  std::int64_t step = 0;                ///< steps done, this one included
  double loss = 0, ramp = 0, learning_rate = 0;
  std::map<std::string, double> terms;  ///< unweighted
  std::map<std::string, double> observations;
  double seconds = 0;
  bool restarted = false;               ///< the warm-up begins again: a class was never predicted
};

/// One training run, advanced step by step: supervised warm-up, then the method. Everything random is a function of the
/// seed and the step, so a run loaded from a checkpoint goes on bit for bit. The shards of a batch may be divided among
/// several processes, each with a trainer: they take the same steps and have the same bits, however many they are.
class Trainer {
 public:
  /// `data` and `ranks` must outlive the trainer. UsageError if data, batch, shards and processes do not fit together.
  Trainer(const RunSettings& settings, const TrainingData& data, engine::Device device,
          engine::Communicator& ranks = engine::alone());

  /// Takes the student's weights from `file`: of a checkpoint the student, else a network in PyTorch's order
  /// (layers::load_pytorch). DataError if they do not fit. Before the first step.
  void start_from(const std::filesystem::path& file);

  std::int64_t steps_done() const { return step_; }
  bool finished() const { return step_ >= settings_.train.steps; }

  /// One step; collective where there are several processes. Throws engine::NonFiniteError naming the operation that first
  /// produced NaN or infinity; the weights are then those of the step before.
  StepReport advance();

  layers::Segmenter& student() { return *student_; }
  layers::Segmenter* teacher() { return method_->teacher(); }
  layers::Segmenter& evaluated();  ///< student or teacher, as the settings say
  const RunSettings& settings() const { return settings_; }
  std::int64_t warmup_steps() const { return warmup_; }

  /// The whole state; NonFiniteError if a weight is not finite: a bad state never becomes a checkpoint.
  engine::TensorFile checkpoint() const;
  void restore(const engine::TensorFile& content, const std::string& source);

 private:
  bool warming_up() const { return step_ < warmup_; }
  bool averaging() const { return !warming_up() || settings_.method.average_warm_up; }
  void make_network();
  void start_phase();
  void make_optimizer();
  bool predicts_every_class();
  bool restart_warm_up();
  std::vector<layers::Module*> modules();
  datasets::Batch next_shard();
  Variable total_loss(const datasets::Batch& shard, std::vector<Term>& terms, Findings& found);
  ShardReport run(const datasets::Batch& shard);
  double learning_rate() const;
  std::int64_t steps_trained() const;
  void explain_not_finite(const datasets::Batch& batch, bool certain);

  RunSettings settings_;
  const TrainingData& data_;
  engine::Device device_;
  engine::Communicator& ranks_;
  layers::SegmenterSpec spec_;
  std::int64_t warmup_ = 0, step_ = 0, attempt_ = 0;
  std::unique_ptr<layers::Segmenter> student_;
  std::unique_ptr<layers::Replay> passes_;  ///< of the student, in this phase
  std::unique_ptr<TrainingMethod> method_;
  std::unique_ptr<layers::Optimizer> optimizer_;
  std::unique_ptr<BatchFeed> batches_;
};

}  // namespace sagcl::semiagcl
