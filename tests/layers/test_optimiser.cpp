#include <gtest/gtest.h>

#include "layers/optimiser.h"
#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

/// Two parameters; the loss Σ (a - 3)² + Σ b² leads a to 3 and b to 0.
struct Problem {
  Variable a = Variable::parameter(random_tensor({4}, 1)), b = Variable::parameter(random_tensor({3}, 2));
  layers::NamedParameters parameters() { return {{"a", &a}, {"b", &b}}; }
  void backward(bool with_b = true) {
    Tape tape;
    Variable loss = ops::sum(ops::square(ops::add_scalar(a, -3)));
    if (with_b) loss = ops::add(loss, ops::sum(ops::square(b)));
    tape.backward(loss);
  }
};

TEST(Sgd, OneStepByHand) {  // d(a - 3)² = 2 (a - 3)
  Problem problem;
  const std::vector<double> before = problem.a.value().to_doubles();
  layers::Sgd sgd(problem.parameters(), {.momentum = 0});
  problem.backward();
  sgd.step(0.1);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(problem.a.value().to_doubles()[i], before[i] - 0.2 * (before[i] - 3), 1e-15);
  EXPECT_FALSE(problem.a.has_grad());
}

TEST(Adam, ThreeStepsByHandWithBothDecays) {
  for (const bool decoupled : {false, true}) {
    Problem problem;
    std::vector<double> p = problem.a.value().to_doubles(), m(p.size()), v(p.size());
    constexpr double lr = 0.1, decay = 0.3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    layers::Adam adam(problem.parameters(), {.weight_decay = decay, .decoupled = decoupled});
    for (int t = 1; t <= 3; ++t) {
      problem.backward();
      adam.step(lr);
      for (std::size_t i = 0; i < p.size(); ++i) {
        const double g = 2 * (p[i] - 3) + (decoupled ? 0 : decay * p[i]);
        m[i] = beta1 * m[i] + (1 - beta1) * g, v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        const double step = m[i] / (1 - std::pow(beta1, t)) / (std::sqrt(v[i] / (1 - std::pow(beta2, t))) + eps);
        p[i] -= lr * (step + (decoupled ? decay * p[i] : 0));
        EXPECT_NEAR(problem.a.value().to_doubles()[i], p[i], 1e-12) << decoupled << " step " << t;
      }
    }
  }
}

TEST(Optimisers, FindTheMinimum) {
  for (const bool adam : {false, true}) {
    Problem problem;
    std::unique_ptr<layers::Optimiser> optimiser;
    if (adam) optimiser = std::make_unique<layers::Adam>(problem.parameters());
    else optimiser = std::make_unique<layers::Sgd>(problem.parameters());
    for (int t = 0; t < 600; ++t) {
      problem.backward();
      optimiser->step(t < 400 ? 0.03 : 0.003);
    }
    EXPECT_TRUE(close(problem.a.value(), Tensor::full({4}, 3, Dtype::f64), 2e-3)) << adam;
    for (double v : problem.b.value().to_doubles()) EXPECT_NEAR(v, 0, 5e-3) << adam;
  }
}

TEST(Optimisers, ParametersWithoutGradientAreListedAndNothingMoves) {
  Problem problem;
  layers::Sgd sgd(problem.parameters());
  const Tensor before = problem.a.value().clone();
  problem.backward(false);
  EXPECT_TRUE(throws<engine::UsageError>([&] { sgd.step(0.1); }, "no gradient for b;"));
  EXPECT_TRUE(identical(problem.a.value(), before));
  EXPECT_TRUE(throws<engine::UsageError>([&] { sgd.step(0.1); }, "no gradient for a, b;"));
}

TEST(Optimisers, AClosedStepMovesNothingAndCanBeTakenBack) {
  for (const bool adam : {false, true}) {
    Problem one, two;
    const auto make = [&](Problem& p) -> std::unique_ptr<layers::Optimiser> {
      if (adam) return std::make_unique<layers::Adam>(p.parameters(), layers::AdamSpec{.weight_decay = 0.01});
      return std::make_unique<layers::Sgd>(p.parameters());
    };
    const std::unique_ptr<layers::Optimiser> closed = make(one), straight = make(two);
    const Tensor open = Tensor::full({1}, 0, Dtype::f64);
    for (int t = 0; t < 3; ++t) {
      one.backward(), two.backward();
      closed->step(0.05), straight->step(0.05);
      const std::map<std::string, Tensor> before = closed->state();
      const std::vector<double> a = one.a.value().to_doubles(),
                                moments = before.at(adam ? "second/a" : "momentum/a").to_doubles();
      one.backward();
      const layers::NamedGradients gradients = closed->take_gradients();
      closed->prepare(0.05);
      closed->apply(gradients, open);
      EXPECT_EQ(one.a.value().to_doubles(), a);
      EXPECT_EQ(closed->state().at(adam ? "second/a" : "momentum/a").to_doubles(), moments);
      closed->take_back(1);
    }
    EXPECT_TRUE(identical(one.a.value(), two.a.value())) << adam;
    EXPECT_EQ(closed->state().at("steps").item(), 3);
  }
}

TEST(Optimisers, GoOnFromTheirStateBitForBit) {
  Problem one, two;
  layers::Adam first(one.parameters(), {.weight_decay = 0.01});
  layers::Sgd sgd_first(two.parameters());
  for (int t = 0; t < 3; ++t) one.backward(), first.step(0.05), two.backward(), sgd_first.step(0.05);
  Problem copy_one, copy_two;
  copy_one.a.value_for_update().copy_from(one.a.value()), copy_one.b.value_for_update().copy_from(one.b.value());
  copy_two.a.value_for_update().copy_from(two.a.value()), copy_two.b.value_for_update().copy_from(two.b.value());
  layers::Adam second(copy_one.parameters(), {.weight_decay = 0.01});
  layers::Sgd sgd_second(copy_two.parameters());
  second.load_state(first.state());
  sgd_second.load_state(sgd_first.state());
  for (int t = 0; t < 3; ++t) {
    one.backward(), first.step(0.05), copy_one.backward(), second.step(0.05);
    two.backward(), sgd_first.step(0.05), copy_two.backward(), sgd_second.step(0.05);
  }
  EXPECT_TRUE(identical(one.a.value(), copy_one.a.value()));
  EXPECT_TRUE(identical(two.a.value(), copy_two.a.value()));
}

TEST(Optimisers, RefuseAStateThatDoesNotFit) {
  Problem problem;
  layers::Sgd sgd(problem.parameters());
  auto state = sgd.state();
  state.erase("momentum/b");
  EXPECT_TRUE(throws<engine::DataError>([&] { sgd.load_state(state); }, "holds no momentum/b"));
  state["momentum/b"] = Tensor::zeros({9}, Dtype::f64);
  EXPECT_TRUE(throws<engine::DataError>([&] { sgd.load_state(state); }, "momentum/b is f64 [9]"));
  state = sgd.state();
  state["momentum/c"] = Tensor::zeros({1});
  EXPECT_TRUE(throws<engine::DataError>([&] { sgd.load_state(state); }, "holds momentum/c"));
}

TEST(Optimisers, RefuseWhatIsNoParameter) {
  Variable constant(Tensor::zeros({2}));
  EXPECT_TRUE(throws<engine::UsageError>([&] { layers::Sgd({{"c", &constant}}); }, "c is not a parameter"));
}

}  // namespace
}  // namespace sagcl::tests
