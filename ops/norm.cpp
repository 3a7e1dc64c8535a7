#include "ops/norm.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::recording;

namespace {

/// Sizes of x [N, .., C]; every image and channel for itself until the caller says otherwise.
NormGeometry geometry(const char* op, const Variable& x, const Variable& gamma, const Variable& beta) {
  checks::defined(op, "x", x);
  checks::activation(op, x.value());
  engine::require(x.shape().rank() >= 2 && x.shape().rank() <= 5 && x.value().size() > 0,
                  "{}: x should be [N, .., C] with 2 to 5 axes and at least one element, got shape {}", op, x.shape());
  NormGeometry g;
  g.N = x.shape()[0];
  g.C = x.shape().back();
  g.V = x.value().size() / (g.N * g.C);
  checks::per_channel(op, "gamma", gamma, x.value(), g.C);
  checks::per_channel(op, "beta", beta, x.value(), g.C);
  return g;
}

void need_variance(const char* op, const NormGeometry& g, const char* where, const Variable& x) {
  engine::require<engine::UsageError>(g.count() > 1, "{}: one value has no variance; x has shape {}, one value per {}", op,
                                      x.shape(), where);
}

/// In x itself when nobody else needs it.
Tensor apply(const NormGeometry& g, const NormSpec& spec, Tensor x, const Tensor& mean, const Tensor& variance,
             const Tensor& gamma, const Tensor& beta) {
  Tensor y = checks::reuse(x);
  backend(x.device()).norm_apply({g, {spec.slope}, spec.eps, x, mean, variance, gamma, beta}, y);
  return y;
}

/// The normalisation with given statistics, its gradient, and its recipe: y costs one pass over x, so nobody keeps it.
Variable normalise(const char* op, const NormGeometry& g, const NormSpec& spec, bool fixed, const Variable& x,
                   const Variable& gamma, const Variable& beta, const Tensor& mean, const Tensor& variance) {
  const Tensor y = apply(g, spec, x.value(), mean, variance, gamma.value(), beta.value());
  const Tensor &scale = gamma.value(), &shift = beta.value();
  const autograd::Saved kept = x.saved_activation();
  return record(
      {op, spec}, {x, gamma, beta, Variable(mean), Variable(variance)}, y,
      [=](Tensor dy) -> Gradients {
        const Tensor input = kept.get();
        Tensor dx = checks::reuse(dy), dgamma = Tensor::empty_like(scale), dbeta = Tensor::empty_like(shift);
        const NormOperands n{g, {spec.slope}, spec.eps, input, mean, variance, scale, shift};
        backend(dy.device()).norm_backward(n, fixed, dy, dx, dgamma, dbeta);
        return {dx, dgamma, dbeta, {}, {}};
      },
      [=] { return apply(g, spec, kept.get(), mean, variance, scale, shift); });
}

/// Statistics of this batch, then the rest.
Variable with_own_statistics(const char* op, const NormGeometry& g, const NormSpec& spec, const Variable& x,
                             const Variable& gamma, const Variable& beta, RunningStatistics* running) {
  Tensor mean = Tensor::empty({g.sets()}, computed_in(x.value().dtype()), x.value().device()),
         variance = Tensor::empty_like(mean);
  Backend& device = backend(x.value().device());
  device.norm_statistics(g, x.value(), mean, variance);
  if (running && spec.momentum != 0) {
    const double n = double(g.count()), m = spec.momentum;
    device.scale_add(1 - m, running->mean, m, mean, running->mean);
    device.scale_add(1 - m, running->variance, m * n / (n - 1), variance, running->variance);  // unbiased
  }
  return normalise(op, g, spec, false, x, gamma, beta, mean, variance);
}

}  // namespace

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, RunningStatistics& running,
                    const NormSpec& spec) {
  const char* op = "batch_norm";
  const engine::OperationName name(op);
  NormGeometry g = geometry(op, x, gamma, beta);
  g.images = g.N;
  checks::per_channel(op, "running mean", Variable(running.mean), x.value(), g.C);
  checks::per_channel(op, "running variance", Variable(running.variance), x.value(), g.C);
  if (!spec.training) {
    // copies: training mode may move the running statistics before this record's backward runs
    const bool keep = recording(x) || recording(gamma) || recording(beta);
    return normalise(op, g, spec, true, x, gamma, beta, keep ? running.mean.clone() : running.mean,
                     keep ? running.variance.clone() : running.variance);
  }
  need_variance(op, g, "channel in training: take larger inputs (train.patch) or more of them (train.batch)", x);
  return with_own_statistics(op, g, spec, x, gamma, beta, &running);
}

Variable instance_norm(const Variable& x, const Variable& gamma, const Variable& beta, const NormSpec& spec) {
  const engine::OperationName name("instance_norm");
  const NormGeometry g = geometry("instance_norm", x, gamma, beta);
  need_variance("instance_norm", g, "channel and image: take larger inputs (train.patch)", x);
  return with_own_statistics("instance_norm", g, spec, x, gamma, beta, nullptr);
}

Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::int64_t groups,
                    const NormSpec& spec) {
  const engine::OperationName name("group_norm");
  NormGeometry g = geometry("group_norm", x, gamma, beta);
  engine::require(groups >= 1 && g.C % groups == 0, "group_norm: {} channels cannot be split into {} groups; x has shape {}",
                  g.C, groups, x.shape());
  g.channels = g.C / groups;
  need_variance("group_norm", g, "group and image: take larger inputs (train.patch) or fewer groups", x);
  return with_own_statistics("group_norm", g, spec, x, gamma, beta, nullptr);
}

}  // namespace sagcl::ops
