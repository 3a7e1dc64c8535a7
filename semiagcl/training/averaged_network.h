#pragma once
#include <memory>

#include "semiagcl/settings/settings.h"
#include "semiagcl/training/phase.h"
#include "semiagcl/training/teacher.h"

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
  /// statistics as the student, dropout as the settings say; the running statistics follow these forwards. What its stages
  /// give goes to `stages`, if asked for.
  struct Output {
    Tensor probabilities, bottleneck;
  };
  Output predict(const Tensor& weak, engine::Generator& random, layers::Stages* stages = nullptr);

  /// One stochastic prediction [N,D,H,W,K]: dropout whatever the settings say, and no running statistics move. What its
  /// stages give goes to `stages`, if asked for.
  Tensor sample(const Tensor& weak, engine::Generator& random, layers::Stages* stages = nullptr);

  void follow(const StepUpdate& update, Buffers buffers = Buffers::own);

 private:
  bool dropout_, begun_ = false;
  std::unique_ptr<layers::Segmenter> network_;
};

}  // namespace sagcl::semiagcl
