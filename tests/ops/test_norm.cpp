#include <gtest/gtest.h>

#include <cmath>

#include "ops/activation.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "tests/support/golden_case.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;
using Inputs = std::vector<Variable>;

/// Tolerances of tests/golden/README.md.
Precision precision(const std::string& name, Dtype d) {
  if (name == "bn_train_two_values") return {d, d == Dtype::f64 ? 1e-9 : 4e-2};
  if (name == "bn_train_mean100") return {d, d == Dtype::f64 ? 1e-12 : 1e-4};
  return {d, d == Dtype::f64 ? 1e-12 : 3e-5};
}

TEST(Norm, GoldenBatchNorm) {
  const Golden golden("ops_norm");
  for (Dtype d : {Dtype::f64, Dtype::f32})
    for (const std::string& name : golden.cases()) {
      if (!name.starts_with("bn_")) continue;
      const bool training = name.starts_with("bn_train");
      const ops::NormSpec spec{.eps = golden.number(name + "/attr.eps"), .training = training};
      const std::string start = training ? "0" : "";
      ops::RunningStatistics running{golden.get(name + "/mean" + start, d).clone(),
                                     golden.get(name + "/var" + start, d).clone()};
      const Precision p = precision(name, d);
      expect_golden(
          golden, name, {"x", "gamma", "beta"},
          [&](const Inputs& v) { return ops::batch_norm(v[0], v[1], v[2], running, spec); }, p);
      if (!training) continue;
      SCOPED_TRACE(name);
      EXPECT_TRUE(close(running.mean, golden.get(name + "/mean1"), p.tolerance));
      EXPECT_TRUE(close(running.variance, golden.get(name + "/var1"), p.tolerance));
      ops::batch_norm(Variable(golden.get(name + "/x2", d)), Variable(golden.get(name + "/gamma", d)),
                      Variable(golden.get(name + "/beta", d)), running, spec);
      EXPECT_TRUE(close(running.mean, golden.get(name + "/mean2"), p.tolerance));
      EXPECT_TRUE(close(running.variance, golden.get(name + "/var2"), p.tolerance));
    }
}

TEST(Norm, GoldenInstanceAndGroupNorm) {
  const Golden golden("ops_norm");
  for (Dtype d : {Dtype::f64, Dtype::f32})
    for (const std::string& name : golden.cases()) {
      if (name.starts_with("bn_")) continue;
      const ops::NormSpec spec{.eps = golden.number(name + "/attr.eps")};
      expect_golden(
          golden, name, {"x", "gamma", "beta"},
          [&](const Inputs& v) {
            return name.starts_with("instance")
                       ? ops::instance_norm(v[0], v[1], v[2], spec)
                       : ops::group_norm(v[0], v[1], v[2], golden.integers(name + "/attr.groups")[0], spec);
          },
          precision(name, d));
    }
}

TEST(Norm, ByHand) {
  // one channel, values 1 and 3: mean 2, biased variance 1, unbiased 2
  const Variable x(Tensor::of<double>({2, 1}, {1, 3})), gamma(Tensor::full({1}, 10, Dtype::f64)),
      beta(Tensor::full({1}, 5, Dtype::f64));
  ops::RunningStatistics running{Tensor::zeros({1}, Dtype::f64), Tensor::full({1}, 1, Dtype::f64)};
  EXPECT_EQ(ops::batch_norm(x, gamma, beta, running, {.eps = 0, .slope = 0.5}).value().to_doubles(),
            (std::vector<double>{-2.5, 15}));
  EXPECT_DOUBLE_EQ(running.mean.item(), 0.2);
  EXPECT_DOUBLE_EQ(running.variance.item(), 0.9 * 1 + 0.1 * 2);
  const std::vector<double> evaluated =
      ops::batch_norm(x, gamma, beta, running, {.eps = 0, .training = false}).value().to_doubles();
  EXPECT_DOUBLE_EQ(evaluated[0], (1 - 0.2) / std::sqrt(1.1) * 10 + 5);
  EXPECT_DOUBLE_EQ(running.mean.item(), 0.2);  // evaluation leaves them alone
  ops::batch_norm(x, gamma, beta, running, {.momentum = 0});
  EXPECT_DOUBLE_EQ(running.mean.item(), 0.2);
}

TEST(Norm, FusedActivationIsTheActivation) {
  for (Dtype d : {Dtype::f32, Dtype::f64})
    for (std::int64_t channels : {1, 2, 7, 16, 33}) {
      Variable x = Variable::parameter(random_tensor({2, 3, 4, 5, channels}, 3, d)),
               gamma = Variable::parameter(random_tensor({channels}, 4, d)),
               beta = Variable::parameter(random_tensor({channels}, 5, d));
      const Tensor dy = random_tensor(x.shape(), 6, d);
      std::vector<Tensor> results[2];
      for (bool fused : {false, true}) {
        for (Variable* v : {&x, &gamma, &beta}) v->clear_grad();
        ops::RunningStatistics running{Tensor::zeros({channels}, d), Tensor::full({channels}, 1, d)};
        Tape tape;
        const Variable y = fused ? ops::batch_norm(x, gamma, beta, running, {.slope = 0.01})
                                 : ops::leaky_relu(ops::batch_norm(x, gamma, beta, running, {}), 0.01);
        tape.backward(y, dy.clone());
        results[fused] = {y.value(), x.grad(), gamma.grad(), beta.grad()};
      }
      for (std::size_t k = 0; k < 4; ++k)
        EXPECT_TRUE(close(results[1][k], results[0][k], d == Dtype::f32 ? 1e-6 : 1e-14)) << channels << " channels, " << k;
    }
}

TEST(Norm, StatisticsSurviveALargeMean) {
  // values 10000 ± 1: a one-pass variance in float would return noise
  std::vector<float> values;
  for (int i = 0; i < 6000; ++i) values.push_back(i % 2 ? 10001.0f : 9999.0f);
  const Variable x(Tensor::of<float>({1, 10, 20, 10, 3}, values)), one(Tensor::full({3}, 1)), zero(Tensor::zeros({3}));
  const std::vector<float> y = ops::instance_norm(x, one, zero, {.eps = 0}).value().to_vector<float>();
  for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], i % 2 ? 1.0f : -1.0f, 2e-3);
}

TEST(Norm, RefusesWhatDoesNotFit) {
  const Variable x(Tensor::zeros({1, 2, 2, 2, 6})), six(Tensor::zeros({6})), five(Tensor::zeros({5})),
      single(Tensor::zeros({1, 1, 1, 1, 6}));
  ops::RunningStatistics running{Tensor::zeros({6}), Tensor::zeros({6})}, other{Tensor::zeros({5}), Tensor::zeros({6})};
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::batch_norm(x, five, six, running, {}); },
                                         "gamma should have one value per channel, [6], got shape [5]"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::batch_norm(x, six, six, other, {}); },
                                         "running mean should have one value per channel"));
  EXPECT_TRUE(
      throws<engine::UsageError>([&] { ops::batch_norm(single, six, six, running, {}); },
                                 "x has shape [1, 1, 1, 1, 6], one value per channel in training: take larger inputs"));
  EXPECT_TRUE(
      throws<engine::ShapeError>([&] { ops::group_norm(x, six, six, 4); }, "6 channels cannot be split into 4 groups"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::instance_norm(single, six, six); }, "one value per channel and image"));
  EXPECT_TRUE(throws<engine::DtypeError>(
      [&] { ops::batch_norm(x, Variable(Tensor::zeros({6}, Dtype::f64)), six, running, {}); }, "x is f32 and gamma is f64"));
  EXPECT_NO_THROW(ops::batch_norm(single, six, six, running, {.training = false}));
}

}  // namespace
}  // namespace sagcl::tests
