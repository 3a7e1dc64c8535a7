#include "semiagcl/training/phases.h"

#include <algorithm>

#include "layers/schedule.h"

namespace sagcl::semiagcl {

Phases::Phases(std::vector<Phase> phases, const RunSettings& settings)
    : phases_(std::move(phases)), settings_(settings.train), ramp_share_(settings.method.ramp_share) {
  begins_ = {0};
  for (const Phase& phase : phases_) begins_.push_back(begins_.back() + phase.steps);
  engine::require<engine::UsageError>(!phases_.empty() && begins_.back() == settings_.steps,
                                      "{}: its phases have {} steps, train.steps is {}", settings_.method, begins_.back(),
                                      settings_.steps);
}

std::size_t Phases::at(std::int64_t step) const {
  std::size_t i = 0;
  while (i + 1 < phases_.size() && step >= begins_[i + 1]) ++i;
  return i;
}

bool Phases::uses_unlabelled() const {
  return std::any_of(phases_.begin(), phases_.end(), [](const Phase& phase) { return phase.unlabelled; });
}

double Phases::learning_rate(std::int64_t step) const {
  const std::size_t i = at(step);
  const std::int64_t done = step - begins_[i];
  double rate = settings_.learning_rate;
  if (phases_[i].decays) rate = layers::poly_decay(rate, done, phases_[i].steps, settings_.poly_power);
  if (settings_.decay_every > 0) rate = layers::step_decay(rate, step, settings_.decay_every);
  if (done < settings_.ease_in) rate *= double(done + 1) / double(settings_.ease_in);
  return rate;
}

double Phases::ramp(std::int64_t step) const {
  const std::size_t i = at(step);
  if (!phases_[i].ramps) return 0;
  return layers::ramp_up(double(step - begins_[i]), ramp_share_ * double(phases_[i].steps));
}

}  // namespace sagcl::semiagcl
