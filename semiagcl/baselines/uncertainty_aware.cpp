#include "semiagcl/baselines/uncertainty_aware.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/parallel.h"
#include "layers/schedule.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/softmax.h"

namespace sagcl::semiagcl {
namespace {

constexpr std::int64_t passes = 8;     // T of the paper
constexpr double noise = 0.1, most_noise = 0.2;

/// x + clamp(0.1 N(0, 1), −0.2, 0.2)
Tensor disturbed(const Tensor& x, engine::Generator random) {
  Tensor y = x.to(engine::Device::cpu()).clone();
  float* v = y.data<float>();
  for (std::int64_t i = 0; i < y.size(); ++i) v[i] += float(std::clamp(noise * random.normal(), -most_noise, most_noise));
  return y.to(x.device());
}

}  // namespace

double entropy_threshold(double progress) { return (0.75 + 0.25 * layers::ramp_up(progress, 1)) * std::numbers::ln2; }

Tensor predictive_entropy(const Tensor& sum, std::int64_t T) {
  const Tensor host = sum.to(engine::Device::cpu());
  const std::int64_t C = sum.shape().back();
  Tensor h = Tensor::empty(engine::Shape(std::span(sum.shape().begin(), sum.shape().end() - 1)), sum.dtype());
  visit_float(sum.dtype(), [&]<class R>(engine::Type<R>) {
    engine::parallel_for(h.size(), 1 << 14, [&](std::int64_t i) {
      const R* s = host.data<R>() + i * C;
      R entropy = 0;
      for (std::int64_t c = 0; c < C; ++c) {
        const R p = s[c] / R(T);
        entropy -= p * std::log(p + R(1e-6));
      }
      h.data<R>()[i] = entropy;
    });
  });
  return h;
}

Variable certain_consistency(const Variable& logits, const Tensor& q, const Tensor& entropy, double threshold) {
  const std::int64_t C = q.shape().back();
  const Tensor host = entropy.to(engine::Device::cpu());
  Tensor weight = Tensor::zeros(q.shape(), q.dtype());
  std::int64_t certain = 0;
  visit_float(q.dtype(), [&]<class R>(engine::Type<R>) {
    for (std::int64_t i = 0; i < host.size(); ++i)
      if (double(host.data<R>()[i]) < threshold) {
        ++certain;
        std::fill_n(weight.data<R>() + i * C, C, R(1));
      }
  });
  const Variable squared = ops::square(ops::subtract(ops::softmax(logits), Variable(q)));
  const Variable sum = ops::sum(ops::multiply(squared, Variable(weight.to(q.device()))));
  return ops::scale(sum, 1 / double(std::max<std::int64_t>(C * certain, 1)));
}

std::vector<Term> UncertaintyAwareMeanTeacher::terms(StepInput& in) {
  const std::int64_t first = in.batch.labelled, count = in.batch.weak.shape()[0] - first;
  const Tensor weak = samples(in.batch.weak, first, count);
  engine::Generator dropout = in.random.fork(0);
  // Departs from the paper: the teacher sees the weak view with noise; there both networks see one view, the teacher's noisy.
  // Its target has no dropout unless method.teacher_dropout asks for it; theirs has.
  const Tensor target = teacher_.look(disturbed(weak, in.random.fork(1)), dropout).probabilities;
  Tensor sum = teacher_.sample(disturbed(weak, in.random.fork(2)), dropout);
  for (std::uint64_t t = 1; t < passes; ++t)
    sum = ops::add(Variable(sum), Variable(teacher_.sample(disturbed(weak, in.random.fork(2 + t)), dropout))).value();
  const double threshold = entropy_threshold(in.progress);
  const Variable logits = ops::slice(in.student.logits, 0, first, count);
  return {{"reg", certain_consistency(logits, target, predictive_entropy(sum, passes), threshold), in.weights.reg}};
}

}  // namespace sagcl::semiagcl
