#pragma once
#include <chrono>
#include <filesystem>

#include "engine/replay.h"
#include "layers/optimizer.h"
#include "semiagcl/training/batch_feed.h"
#include "semiagcl/training/shards.h"

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
  std::int64_t attempt() const { return attempt_; }  ///< how often the warm-up was started again
  bool finished() const { return step_ >= settings_.train.steps; }

  /// One step; collective where there are several processes. With one shard the device may still be at work on return.
  void advance();

  /// What the steps since the last call did; waits for the device. Where a loss was not finite, this, advance() or checkpoint(),
  /// whichever looks first, throws engine::NonFiniteError naming the operation that first produced NaN or infinity. That step
  /// and those behind it have then not happened: weights, averages and stored keys are those of the step before, only running
  /// statistics have moved. After any other error a step may be half done: go on from a checkpoint.
  std::vector<StepReport> reports();

  layers::Segmenter& student() { return *student_; }
  layers::Segmenter* teacher() { return method_->teacher(); }
  layers::Segmenter& evaluated();  ///< student or teacher, as the settings say
  const RunSettings& settings() const { return settings_; }
  std::int64_t warmup_steps() const { return warmup_; }

  /// The whole state; NonFiniteError if a weight is not finite: a bad state never becomes a checkpoint.
  engine::TensorFile checkpoint();
  void restore(const engine::TensorFile& content, const std::string& source);

 private:
  bool warming_up() const { return step_ < warmup_; }
  bool averaging() const { return !warming_up() || settings_.method.average_warm_up; }
  bool whole_steps() const { return settings_.train.shards == 1; }
  void make_network();
  void start_phase();
  void start_batches();
  void make_optimizer();
  bool predicts_every_class();
  bool restart_warm_up();
  std::vector<layers::Module*> modules();
  datasets::Batch next_shard();
  void take(datasets::Batch shard);
  engine::Generator random_of(std::int64_t shard) const;
  Variable total_loss(const datasets::Batch& shard, const engine::Generator& random, std::vector<Term>& terms, Findings& found);
  void pass(const engine::Generator& random);
  void update(const layers::NamedGradients& gradients, const std::vector<Findings>& shards);
  void write_row();
  void prepare();
  void run(const engine::Generator& random, const std::function<void(const engine::Generator&)>& work);
  void run_whole();
  ShardReport run_shard();
  void run_shards(StepReport& report);
  void read();
  void undo(std::int64_t first, std::int64_t count);
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
  std::unique_ptr<TrainingMethod> method_;
  std::unique_ptr<layers::Optimizer> optimizer_;
  std::unique_ptr<BatchFeed> batches_;
  std::unique_ptr<engine::Replay> replay_;  ///< of this phase

  // What a step reads and writes on the device; a recorded step finds it at the same place every time.
  datasets::Batch shard_;
  Tensor ramp_, number_, alpha_, open_;    ///< f64 [1]; open_ becomes 0 with the first loss that is not finite
  layers::NamedGradients gradients_;
  Findings found_;
  std::map<std::string, Tensor> values_;   ///< "loss", "term NAME", "observed NAME": f32, one element
  std::vector<std::string> names_;         ///< of values_, in order
  Tensor row_, rows_;                      ///< f32: values_ of the last step, and [most_rows, values] of the unread ones

  static constexpr std::int64_t most_rows = 64;
  std::vector<StepReport> unread_, read_;  ///< steps whose values are in rows_ alone, and those that wait for reports()
  std::chrono::steady_clock::time_point clock_;  ///< when the first unread step began
};

}  // namespace sagcl::semiagcl
