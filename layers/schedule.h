#pragma once
#include <cstdint>

/// How a number changes during training: pure functions of the step, so that a resumed run needs no state.
namespace sagcl::layers {

/// base (1 − step / total)^power: from base down to 0 at step = total, and 0 beyond.
double poly_decay(double base, std::int64_t step, std::int64_t total, double power = 0.9);

/// base factor^⌊step / every⌋
double step_decay(double base, std::int64_t step, std::int64_t every, double factor = 0.1);

/// exp(−5 (1 − min(t, T) / T)²): from 0.0067 at t = 0 up to 1 at t = T (Laine & Aila 2017); 1 everywhere for T = 0.
double ramp_up(double t, double T);

}  // namespace sagcl::layers
