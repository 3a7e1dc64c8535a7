#pragma once
#include "semiagcl/settings/settings.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

/// The phases of a run, and which one a step belongs to. Steps are counted over the whole run.
class Phases {
 public:
  /// UsageError unless the phases' steps add up to train.steps.
  Phases(std::vector<Phase> phases, const RunSettings& settings);

  std::size_t size() const { return phases_.size(); }
  const Phase& operator[](std::size_t i) const { return phases_[i]; }
  std::size_t at(std::int64_t step) const;  ///< the phase of a step; of the last one's end the last
  std::int64_t begin_of(std::size_t i) const { return begins_[i]; }
  bool uses_unlabelled() const;

  /// Within a phase: learning_rate x (1 - t / T)^poly_power where it decays, x 0.1 every decay_every steps of the run, and
  /// rising linearly over the phase's first ease_in steps.
  double learning_rate(std::int64_t step) const;

  /// How far the weights of Eq. 8's terms beside L_sup have risen: layers::ramp_up over the first method.ramp_share of a
  /// phase that ramps, 0 in others.
  double ramp(std::int64_t step) const;

 private:
  std::vector<Phase> phases_;
  std::vector<std::int64_t> begins_;  ///< and the end
  TrainSettings settings_;
  double ramp_share_;
};

}  // namespace sagcl::semiagcl
