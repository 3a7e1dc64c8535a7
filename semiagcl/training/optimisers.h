#pragma once
#include <memory>
#include <vector>

#include "layers/optimiser.h"
#include "semiagcl/settings/settings.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

/// The optimisers of a phase, used as one: that of the settings for the student and what is trained with it, and those that
/// modules have for themselves (TrainedModule::own). They take every step together.
class Optimisers {
 public:
  /// Fresh ones; `student` and the modules must outlive them. UsageError for two parameters of one name.
  Optimisers(const TrainSettings& settings, layers::Segmenter& student, const std::vector<TrainedModule>& trained);

  /// Of all, the modules' under NAME.PART.
  const layers::NamedParameters& parameters() const { return parameters_; }

  // As of layers::Optimiser. `lr` is the student's; the others keep their own.
  void prepare(double lr);
  layers::NamedGradients take_gradients();
  void apply(const layers::NamedGradients& gradients, const Tensor& gate);
  void take_back(std::int64_t steps);
  std::map<std::string, Tensor> state() const;
  void load_state(const std::map<std::string, Tensor>& state);

 private:
  struct Own {
    std::unique_ptr<layers::Optimiser> optimiser;
    double learning_rate;
  };
  std::unique_ptr<layers::Optimiser> student_;
  std::vector<Own> own_;
  layers::NamedParameters parameters_;
};

}  // namespace sagcl::semiagcl
