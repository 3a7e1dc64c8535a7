#pragma once
#include "semiagcl/training/teacher.h"
#include "semiagcl/training/training_method.h"

namespace sagcl::semiagcl {

/// A mean teacher: a second network that starts as a copy of the student and follows it by exponential averaging. Methods
/// with a teacher hold one.
class AveragedNetwork {
 public:
  AveragedNetwork(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device);

  void begin(layers::Segmenter& student);  ///< teacher := student
  bool begun() const { return begun_; }
  layers::Segmenter* get() { return begun_ ? network_.get() : nullptr; }
  layers::Segmenter& network() { return *network_; }  ///< begun or not

  /// Class probabilities [N,D,H,W,K] and bottleneck [N,d,h,w,F] on weak views [N,D,H,W,C], without recording: batch
  /// statistics as the student, dropout as the settings say; the running statistics follow these forwards.
  struct Output {
    Tensor probabilities, bottleneck;
  };
  Output look(const Tensor& weak, engine::Generator& random);

  /// One stochastic prediction [N,D,H,W,K]: dropout whatever the settings say, and no running statistics move.
  Tensor sample(const Tensor& weak, engine::Generator& random);

  void follow(const StepUpdate& update, Buffers buffers = Buffers::own);

  void store(engine::TensorFile& content) const;
  void load(const engine::TensorFile& content, const std::string& source);

 private:
  bool dropout_, begun_ = false;
  std::unique_ptr<layers::Segmenter> network_;
};

/// What methods with a mean teacher share. The settings must outlive the method.
class TeacherMethod : public TrainingMethod {
 public:
  TeacherMethod(const RunSettings& settings, const layers::SegmenterSpec& spec, engine::Device device)
      : settings_(settings), teacher_(settings, spec, device) {}

  layers::Segmenter* teacher() override { return teacher_.get(); }
  void store(engine::TensorFile& content) const override { teacher_.store(content); }
  void load(const engine::TensorFile& content, const std::string& source) override { teacher_.load(content, source); }

 protected:
  const RunSettings& settings_;
  AveragedNetwork teacher_;
};

/// The phases of most methods: a supervised warm-up over method.warm_up_share of the steps, then `main`, which has the
/// others. The teacher, if there is one, begins with main as a copy of the student; with method.average_warm_up it begins
/// with the run and averages the warm-up's students, running statistics too. `main` says which modules move.
std::vector<Phase> with_warm_up(const RunSettings& settings, AveragedNetwork* teacher, Phase main);

}  // namespace sagcl::semiagcl
