#include "layers/schedule.h"

#include <cmath>

#include "engine/error.h"

namespace sagcl::layers {

using engine::require;
using engine::UsageError;

double poly_decay(double base, std::int64_t step, std::int64_t total, double power) {
  require<UsageError>(step >= 0 && total > 0, "poly_decay: step {} of {}", step, total);
  return step >= total ? 0.0 : base * std::pow(1 - double(step) / double(total), power);
}

double step_decay(double base, std::int64_t step, std::int64_t every, double factor) {
  require<UsageError>(step >= 0 && every > 0, "step_decay: step {}, every {}", step, every);
  return base * std::pow(factor, double(step / every));
}

double ramp_up(double t, double T) {
  require<UsageError>(t >= 0 && T >= 0, "ramp_up: t {}, T {}", t, T);
  if (t >= T) return 1;
  const double rest = 1 - t / T;
  return std::exp(-5 * rest * rest);
}

}  // namespace sagcl::layers
