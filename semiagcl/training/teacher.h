#pragma once
#include <map>
#include <string>

#include "layers/module.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Tensor;

/// α of step t = 0, 1, …: min(1 − 1/(t + 1), decay). The warm start makes the teacher the running mean of the students
/// until the decay takes over, so it never keeps its random beginning (step 0 copies the student). Steps count from the
/// run's first one: a teacher that begins after a supervised warm-up is a good copy already and averages slowly at once.
double ema_alpha(std::int64_t step, double decay);

/// What becomes of the teacher's buffers (running mean and variance of batch norm) in an update.
///   own      left alone: they come from the teacher's own training-mode forwards on weak views (UA-MT, the default)
///   copied   taken from the student
///   averaged averaged like parameters (BCP's ACDC script)
enum class Buffers { own, copied, averaged };

/// θ_T ← α θ_T + (1 − α) θ_S for every parameter, by name, and buffers as asked. alpha (f64 [1]) is that of ema_alpha and
/// lies on the device; where `gate` (f64 [1], or undefined) is 0 nothing changes. UsageError when names or shapes differ or
/// a tape holds records.
void update_teacher(layers::Module& teacher, layers::Module& student, const Tensor& alpha, const Tensor& gate = {},
                    Buffers buffers = Buffers::own);

}  // namespace sagcl::semiagcl
