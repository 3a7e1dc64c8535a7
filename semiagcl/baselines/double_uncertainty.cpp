#include "semiagcl/baselines/double_uncertainty.h"

#include <cmath>

#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/uncertainty_aware.h"

namespace sagcl::semiagcl {
namespace {

constexpr std::int64_t answers = 8;        // T
constexpr double w_reg = 0.1, beta = 0.1;  // ours; the first is UA-MT's

}  // namespace

void Spread::add(const Tensor& x) {
  if (count_++ == 0) {
    mean_ = x, squares_ = Tensor::zeros_like(x);
    return;
  }
  const Variable before = ops::subtract(Variable(x), Variable(mean_));
  mean_ = ops::add(Variable(mean_), ops::scale(before, 1 / double(count_))).value();
  const Variable after = ops::subtract(Variable(x), Variable(mean_));
  squares_ = ops::add(Variable(squares_), ops::multiply(before, after)).value();
}

Tensor Spread::deviation() const {
  engine::require<engine::UsageError>(count_ > 0, "Spread: the deviation of nothing");
  return ops::sqrt(ops::scale(Variable(squares_), 1 / double(count_))).value();
}

Tensor relative_to_sample(const Tensor& x) {
  const std::int64_t n = x.shape()[0];
  const Tensor rows = x.reshape({n, x.size() / n});
  return ops::unit_range(rows, ops::quantiles(rows, {0, 1})).reshape(x.shape());
}

Variable double_uncertainty_loss(const Variable& logits, const Tensor& q, const Tensor& uncertainty) {
  const Variable p = ops::softmax(logits);
  const Variable trust = ops::exp(ops::scale(Variable(uncertainty), -1));
  const Variable apart = ops::sum_axis(ops::square(ops::subtract(p, Variable(q))), -1);
  const Variable own = ops::mean(ops::sum_axis(ops::multiply(p, ops::log_softmax(logits)), -1));
  return ops::add(ops::mean(ops::multiply(trust, apart)), ops::scale(own, -beta / std::log(double(logits.shape().back()))));
}

std::vector<Phase> DoubleUncertainty::phases() {
  return with_warm_up(settings_, &teacher_,
                      {.name = "double-ua",
                       .unlabelled = true,
                       .objective = [this](StepInput& in) { return terms(in); },
                       .after_update = [this](const StepUpdate& update) { teacher_.follow(update); }});
}

std::vector<Term> DoubleUncertainty::terms(StepInput& in) {
  const Variable logits = in.forward(in.batch.strong).logits;
  engine::Generator random = in.random.fork(0);
  const Tensor target = teacher_.predict(in.batch.weak, random).probabilities;
  const Variable reg = double_uncertainty_loss(logits, target, uncertainty(in.batch.weak, random));
  return {supervised_term(in, logits), {"reg", reg, w_reg, in.ramp}};
}

/// The mean of the two uncertainties, each in [0, 1]: the entropy of the mean answer, and how much the features of the last
/// stage, before its dropout, which would be most of it, vary; the mean over channels.
Tensor DoubleUncertainty::uncertainty(const Tensor& weak, engine::Generator& random) {
  Tensor sum;
  Spread features;
  for (std::int64_t t = 0; t < answers; ++t) {
    layers::Stages stages;
    const Tensor answer = teacher_.sample(weak, random, &stages);
    sum = t == 0 ? answer : ops::add(Variable(sum), Variable(answer)).value();
    features.add(stages.decoder.back().value());
  }
  const Tensor of_answer = relative_to_sample(predictive_entropy(sum, answers));
  const Tensor of_features = relative_to_sample(ops::mean_axis(Variable(features.deviation()), -1).value());
  return ops::scale(ops::add(Variable(of_answer), Variable(of_features)), 0.5).value();
}

}  // namespace sagcl::semiagcl
