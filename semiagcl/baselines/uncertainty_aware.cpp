#include "semiagcl/baselines/uncertainty_aware.h"

#include <cmath>
#include <numbers>

#include "layers/schedule.h"
#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "ops/selection.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {
namespace {

constexpr std::int64_t noisy_passes = 8;  // T of the paper
constexpr double deviation = 0.1, most_noise = 0.2;

/// x + clamp(0.1 N(0, 1), −0.2, 0.2)
Tensor disturbed(const Tensor& x, engine::Generator random) {
  return ops::add_noise(x, random.next_key(), deviation, most_noise);
}

}  // namespace

double entropy_threshold(double progress) { return (0.75 + 0.25 * layers::ramp_up(progress, 1)) * std::numbers::ln2; }

double UncertaintyAwareMeanTeacher::schedule(double progress) const { return entropy_threshold(progress); }

Tensor predictive_entropy(const Tensor& sum, std::int64_t T) {
  const Variable p = ops::scale(Variable(sum), 1 / double(T));
  return ops::scale(ops::sum_axis(ops::multiply(p, ops::log(ops::add_scalar(p, 1e-6))), -1), -1).value();
}

Variable certain_consistency(const Variable& logits, const Tensor& q, const Tensor& entropy, const Tensor& threshold) {
  const Tensor certain = ops::below(entropy, threshold, q.shape().back());
  const Tensor count = ops::clamp(ops::sum(Variable(certain)).value(), 1, INFINITY);
  const Variable squared = ops::square(ops::subtract(ops::softmax(logits), Variable(q)));
  return ops::divide(ops::sum(ops::multiply(squared, Variable(certain))), Variable(count));
}

Variable UncertaintyAwareMeanTeacher::consistency(StepInput& in, const Variable& logits) {
  const Tensor weak = samples(in.batch.weak, in.batch.labelled, logits.shape()[0]);
  engine::Generator dropout = in.random.fork(0);
  // Departs from the paper: the teacher sees the weak view with noise; there both networks see one view, the teacher's
  // noisy. Its target has no dropout unless method.teacher_dropout asks for it; theirs has.
  const Tensor target = teacher_.predict(disturbed(weak, in.random.fork(1)), dropout).probabilities;
  Tensor sum = teacher_.sample(disturbed(weak, in.random.fork(2)), dropout);
  for (std::uint64_t t = 1; t < noisy_passes; ++t)
    sum = ops::add(Variable(sum), Variable(teacher_.sample(disturbed(weak, in.random.fork(2 + t)), dropout))).value();
  return certain_consistency(logits, target, predictive_entropy(sum, noisy_passes), in.schedule);
}

}  // namespace sagcl::semiagcl
