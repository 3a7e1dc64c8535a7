#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/backend.h"
#include "ops/reduce.h"
#include "tests/support/golden_case.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;
using Inputs = std::vector<Variable>;

const Precision precisions[] = {{Dtype::f64, 1e-12}, {Dtype::f32, 1e-5}};

TEST(Pointwise, GoldenActivations) {
  const Golden golden("ops_pointwise");
  for (const Precision& p : precisions)
    for (const std::string& name : golden.cases()) {
      if (name.find("softmax") != std::string::npos) continue;  // test_softmax.cpp
      expect_golden(
          golden, name, {"x"},
          [&](const Inputs& v) {
            if (name.starts_with("relu")) return ops::relu(v[0]);
            if (name.starts_with("leaky_relu")) return ops::leaky_relu(v[0], golden.number(name + "/attr.slope"));
            return name == "sigmoid" ? ops::sigmoid(v[0]) : ops::tanh(v[0]);
          },
          p);
    }
}

TEST(Pointwise, ByHand) {
  const Variable a(Tensor::of<float>({4}, {1, -2, 3, 8})), b(Tensor::of<float>({4}, {2, 4, -1, 0.5}));
  EXPECT_EQ(ops::add(a, b).value().to_vector<float>(), (std::vector<float>{3, 2, 2, 8.5}));
  EXPECT_EQ(ops::subtract(a, b).value().to_vector<float>(), (std::vector<float>{-1, -6, 4, 7.5}));
  EXPECT_EQ(ops::multiply(a, b).value().to_vector<float>(), (std::vector<float>{2, -8, -3, 4}));
  EXPECT_EQ(ops::divide(a, b).value().to_vector<float>(), (std::vector<float>{0.5, -0.5, -3, 16}));
  EXPECT_EQ(ops::scale(a, 0.5).value().to_vector<float>(), (std::vector<float>{0.5, -1, 1.5, 4}));
  EXPECT_EQ(ops::add_scalar(a, 10).value().to_vector<float>(), (std::vector<float>{11, 8, 13, 18}));
  EXPECT_EQ(ops::square(a).value().to_vector<float>(), (std::vector<float>{1, 4, 9, 64}));
}

TEST(Pointwise, ClampKeepsNaN) {
  Tensor x = Tensor::of<float>({4}, {-3, 0.5, 7, NAN});
  ops::backend(x.device()).clamp(x, -1, 2, x);
  const std::vector<float> y = x.to_vector<float>();
  EXPECT_EQ((std::vector<float>{y[0], y[1], y[2]}), (std::vector<float>{-1, 0.5, 2}));
  EXPECT_TRUE(std::isnan(y[3]));
}

TEST(Pointwise, GradientsAtZero) {
  Variable x = Variable::parameter(Tensor::of<double>({4}, {0.0, -0.0, 2.0, -2.0}));
  const auto gradient = [&](auto f) {
    x.clear_grad();
    Tape tape;
    tape.backward(ops::sum(f(x)));
    return x.grad().to_doubles();
  };
  EXPECT_EQ(gradient([](const Variable& v) { return ops::relu(v); }), (std::vector<double>{0, 0, 1, 0}));
  EXPECT_EQ(gradient([](const Variable& v) { return ops::leaky_relu(v, 0.25); }),
            (std::vector<double>{0.25, 0.25, 1, 0.25}));
}

TEST(Pointwise, NaNStaysVisible) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Variable x(Tensor::of<float>({2}, {nan, 1}));
  for (const Variable& y : {ops::relu(x), ops::leaky_relu(x, 0.1), ops::sigmoid(x), ops::add(x, x)})
    EXPECT_TRUE(std::isnan(y.value().to_vector<float>()[0]));
}

TEST(Pointwise, ReusesTheGradientsMemoryOnlyWhenFree) {
  // y feeds two consumers; both gradients start from the same dy and neither may spoil the other's.
  Variable x = Variable::parameter(Tensor::of<double>({2}, {1, 2}));
  Tape tape;
  const Variable doubled = ops::scale(x, 2), tripled = ops::scale(x, 3);
  tape.backward(ops::sum(ops::add(doubled, tripled)));
  EXPECT_EQ(x.grad().to_doubles(), (std::vector<double>{5, 5}));
}

TEST(Pointwise, RefusesWhatDoesNotFit) {
  const Variable a(Tensor::zeros({2, 3})), b(Tensor::zeros({3, 2})), wide(Tensor::zeros({2, 3}, Dtype::f64)),
      labels(Tensor::zeros({2, 3}, Dtype::i32));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::add(a, b); },
                                         "add: a has shape [2, 3] and b has shape [3, 2]; they must be equal"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::multiply(a, Variable(Tensor::zeros({}))); }, "nothing is broadcast"));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::add(a, wide); }, "a is f32 and b is f64"));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::relu(labels); }, "relu: needs f32 or f64, got i32"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::add(a, Variable()); }, "add: b is an undefined value"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::leaky_relu(a, -0.1); }, "must not be negative, got -0.1"));
  EXPECT_TRUE(
      throws<engine::DeviceError>([&] { ops::backend(engine::Device::cuda(7)); }, "no backend is registered for cuda:7"));
}

TEST(Sums, ByHand) {
  const Variable x(Tensor::of<float>({2, 3}, {1, 2, 3, 10, 20, 30}));
  EXPECT_EQ(ops::sum(x).value().item(), 66);
  EXPECT_EQ(ops::mean(x).value().item(), 11);
  EXPECT_EQ(ops::sum(x).shape().rank(), 0);
  EXPECT_EQ(ops::sum_axis(x, 0).value().to_vector<float>(), (std::vector<float>{11, 22, 33}));
  EXPECT_EQ(ops::sum_axis(x, -1).value().to_vector<float>(), (std::vector<float>{6, 60}));
  EXPECT_EQ(ops::mean_axis(x, 1).value().to_vector<float>(), (std::vector<float>{2, 20}));
}

TEST(Sums, StayExactOverAMillionElements) {
  const Variable ones(Tensor::full({1 << 20}, 1.0)), tenths(Tensor::full({1 << 20}, 0.1));
  EXPECT_EQ(ops::sum(ones).value().item(), 1 << 20);
  EXPECT_NEAR(ops::mean(tenths).value().item(), 0.1, 1e-6);  // a plain float sum is wrong in the third digit
}

TEST(Sums, RefuseWhatDoesNotFit) {
  const Variable x(Tensor::zeros({2, 3}));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::sum_axis(x, 2); }, "sum_axis: axis 2 of shape [2, 3]"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::mean(Variable(Tensor::zeros({0, 3}))); }, "the mean of nothing"));
  EXPECT_TRUE(
      throws<engine::ShapeError>([&] { ops::global_average_pool(x); }, "should be [N, D, H, W, C], got shape [2, 3]"));
}

}  // namespace
}  // namespace sagcl::tests
