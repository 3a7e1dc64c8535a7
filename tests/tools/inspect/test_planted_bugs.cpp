#include <cmath>

#include "engine/devices/allocator.h"
#include "engine/devices/device_registry.h"
#include "engine/operation_name.h"
#include "engine/parallel.h"
#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "tests/tools/tools_support.h"
#include "tools/inspect/bits.h"
#include "tools/inspect/gradcheck_view.h"
#include "tools/inspect/leaks.h"

// Bugs that are planted on purpose, each found by what one command of sagcl-inspect runs, and named.
namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;

/// x² with the gradient `factor` x dy.
Variable square(const Variable& v, double factor) {
  const Tensor& x = v.value();
  return autograd::record("planted_square", {v}, ops::square(Variable(x)).value(),
                          [x, factor](Tensor dy) -> autograd::Gradients {
                            return {ops::scale(ops::multiply(Variable(x), Variable(dy)), factor).value()};
                          });
}

/// x² whose gradient of the first element is `bad`.
Variable square_with_a_bad_gradient(const Variable& v, double bad) {
  const Tensor& x = v.value();
  return autograd::record("planted_square", {v}, ops::square(Variable(x)).value(),
                          [x, bad](Tensor dy) -> autograd::Gradients {
                            Tensor dx = ops::scale(ops::multiply(Variable(x), Variable(dy)), 2).value();
                            dx.data<double>()[0] = bad;
                            return {dx};
                          });
}

TEST(PlantedBugs, AGradientThatIsNotFiniteIsNotForgotten) {
  for (const double bad : {std::nan(""), double(INFINITY)}) {
    const auto result =
        autograd::gradcheck([bad](const std::vector<Variable>& v) { return square_with_a_bad_gradient(v[0], bad); },
                            {Tensor::of<double>({3}, {1, 2, 3})}, {});
    EXPECT_FALSE(result.passed) << bad;
    EXPECT_EQ(result.element, 0);
  }
}

TEST(PlantedBugs, AWrongGradientIsNamed) {
  const auto checked = [](double factor) {
    const OpCase good{.name = "add/good", .inputs = {{{3}}}, .f = [](const auto& v) { return ops::add(v[0], v[0]); }};
    const OpCase planted{
        .name = "square/planted", .inputs = {{{3, 4}}}, .f = [factor](const auto& v) { return square(v[0], factor); }};
    return tools::check_cases("op", {good, planted}, "", 400);
  };
  for (const tools::CheckedGradient& one : checked(2)) EXPECT_TRUE(one.result.passed) << one.result.text();
  const auto found = checked(2.00001);
  EXPECT_TRUE(found[0].result.passed);
  EXPECT_FALSE(found[1].result.passed);
  const std::string text = tools::gradcheck_text(found);
  EXPECT_TRUE(contains(text, "op square/planted  FAILED  5.0e-06"));
  EXPECT_TRUE(contains(text, "2 gradients compared in f64, 1 failed"));
  EXPECT_EQ(tools::check_cases("op", op_cases(), "conv/3x3x3", 400).size(), 1u);
}

/// Networks take long; Inspect.ChecksOfAStepPass looks at one.
TEST(Gradcheck, EveryLossAndLayerPasses) {
  std::vector<OpCase> cases = loss_cases();
  for (const OpCase& one : module_cases())
    if (!one.name.ends_with("net")) cases.push_back(one);
  ASSERT_GT(cases.size(), 25u);
  for (const tools::CheckedGradient& one : tools::check_cases("", cases, "", 400))
    EXPECT_TRUE(one.result.passed) << one.name << ": " << one.result.text();
}

TEST(PlantedBugs, AKinkIsNoWrongGradient) {
  const Tensor x = Tensor::of<double>({4}, {3e-5, -3e-5, 0, 1});
  const auto kinks = autograd::gradcheck([](const auto& v) { return ops::relu(v[0]); }, {x});
  EXPECT_TRUE(kinks.passed) << kinks.text();
  EXPECT_EQ(kinks.kinks, 3);
  EXPECT_TRUE(contains(kinks.text(), "3 of 4 elements lie at kinks"));
  // At 0 any slope between those of the sides will do, and no other.
  const auto slope_at_zero = [](double slope) {
    return autograd::gradcheck(
        [slope](const auto& v) {
          const Tensor y = ops::relu(Variable(v[0].value())).value();
          return autograd::record("planted", {v[0]}, y, [slope](Tensor dy) -> autograd::Gradients {
            return {ops::scale(Variable(dy), slope).value()};
          });
        },
        {Tensor::of<double>({1}, {0})});
  };
  EXPECT_TRUE(slope_at_zero(0.5).passed);
  EXPECT_FALSE(slope_at_zero(1.5).passed);
}

TEST(PlantedBugs, ALeakIsNamed) {
  engine::allocator(engine::Device::cpu()).empty_cache();  // what earlier tests left would be handed out, a little too large
  std::vector<Tensor> kept, queue;
  Tensor state = Tensor::zeros({8});
  const auto step = [&](bool leaks) {
    const autograd::Scope scope("enc0");
    const engine::OperationName name("planted");
    state = Tensor::zeros({8});              // renewed
    queue.push_back(Tensor::zeros({1000}));  // three steps are kept
    if (queue.size() > 3) queue.erase(queue.begin());
    if (leaks) kept.push_back(Tensor::zeros({100}));
  };
  EXPECT_TRUE(tools::find_leaks({}, 10, [&] { step(false); }).empty());
  const auto leaks = tools::find_leaks({}, 10, [&] { step(true); });
  ASSERT_EQ(leaks.size(), 1u);
  EXPECT_EQ(leaks[0].place, "planted in enc0");
  EXPECT_EQ(leaks[0].blocks, 1);
  EXPECT_EQ(leaks[0].bytes, 448);  // 400 bytes in lines of 64
  EXPECT_TRUE(contains(tools::leak_text(leaks, 10), "planted in enc0"));
}

TEST(PlantedBugs, ASumThatDependsOnTheThreadsIsNamed) {
  const auto pass = [](bool planted, autograd::Observer& watch) {
    const Variable x = Variable::parameter(Tensor::of<float>({3}, {1, 2, 3}));
    Tape tape({.observer = &watch});
    const autograd::Scope scope("loss");
    Variable y = ops::square(x);
    if (planted) {  // as if every thread had added a part of its own
      const float rest = 1e-6f * float(engine::threads());
      y = autograd::record("planted_sum", {y}, Tensor::of<float>({1}, {14 + rest}),
                           [](Tensor dy) -> autograd::Gradients { return {Tensor::full({3}, dy.item())}; });
    }
    tape.backward(ops::sum(y));
  };
  const auto good = tools::compare_bits([&](autograd::Observer& watch) { pass(false, watch); }, 2);
  EXPECT_TRUE(good.equal) << good.where;
  EXPECT_GT(good.operations, 2);
  const auto found = tools::compare_bits([&](autograd::Observer& watch) { pass(true, watch); }, 2);
  EXPECT_FALSE(found.equal);
  EXPECT_TRUE(contains(found.where, "the result of planted_sum in loss (record 1, inspect/test_planted_bugs.cpp:"));
  EXPECT_TRUE(contains(tools::bits_text(found, 2), "with 2 threads instead of 1"));
}

}  // namespace
}  // namespace sagcl::tests
