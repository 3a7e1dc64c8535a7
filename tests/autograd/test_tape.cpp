#include <gtest/gtest.h>

#include <optional>

#include "autograd/tape.h"
#include "engine/devices/device_registry.h"
#include "ops/arithmetic.h"
#include "ops/conv.h"
#include "ops/layout.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Gradients;
using autograd::Tape;
using autograd::Variable;
using engine::Dtype;
using engine::UsageError;

std::size_t in_use() { return engine::allocator(engine::Device::cpu()).statistics().in_use; }

Variable parameter(std::initializer_list<double> values) {
  return Variable::parameter(Tensor::of<double>({std::int64_t(values.size())}, std::vector<double>(values)));
}

TEST(Tape, DifferentiatesByTheChainRule) {
  // L = Σ (2x)² so dL/dx = 8x
  Variable x = parameter({1, -3});
  Tape tape;
  tape.backward(ops::sum(ops::square(ops::scale(x, 2))));
  EXPECT_EQ(x.grad().to_doubles(), (std::vector<double>{8, -24}));
}

TEST(Tape, AddsTheGradientsOfEveryUse) {
  Variable x = parameter({3});
  Tape tape;
  tape.backward(ops::add(ops::multiply(x, x), ops::scale(x, 10)));
  EXPECT_EQ(x.grad().item(), 2 * 3 + 10);
}

TEST(Tape, GradientsOfParametersAddUpUntilCleared) {
  Variable x = parameter({1});
  for (int step = 1; step <= 3; ++step) {
    Tape tape;
    tape.backward(ops::scale(x, 5));
    EXPECT_EQ(x.grad().item(), 5 * step);
  }
  x.clear_grad();
  EXPECT_FALSE(x.has_grad());
  EXPECT_TRUE(throws<UsageError>([&] { (void)x.grad(); }, "no gradient has been delivered"));
}

TEST(Tape, RecordsNothingWithoutATapeOrAParameter) {
  const Variable x = parameter({1}), constant(Tensor::full({1}, 2, Dtype::f64));
  EXPECT_FALSE(ops::scale(x, 2).wants_grad());
  Tape tape;
  EXPECT_FALSE(ops::scale(constant, 2).wants_grad());
  EXPECT_EQ(tape.size(), 0u);
  {
    const autograd::NoGrad suspended;
    EXPECT_FALSE(ops::scale(x, 2).wants_grad());
    EXPECT_EQ(Tape::active(), nullptr);
  }
  EXPECT_TRUE(ops::scale(x, 2).wants_grad());
  EXPECT_EQ(tape.size(), 1u);
}

TEST(Tape, LeavesOutWhatTheLossDoesNotDependOn) {
  Variable x = parameter({1}), unused = parameter({1});
  Tape tape;
  const Variable side = ops::square(unused);
  tape.backward(ops::scale(x, 2));
  EXPECT_TRUE(side.defined());
  EXPECT_FALSE(unused.has_grad());
}

TEST(Tape, RefusesMisuse) {
  Variable x = parameter({1, 2});
  {
    const Tape tape;
    EXPECT_TRUE(throws<UsageError>([] { Tape second; }, "already recording on this thread"));
  }
  Tape tape;
  const Variable y = ops::scale(x, 2), loss = ops::sum(y);
  EXPECT_TRUE(throws<engine::ShapeError>([&] { tape.backward(y); }, "needs a scalar loss, got shape [2]"));
  EXPECT_TRUE(throws<UsageError>([&] { tape.backward(x, Tensor::zeros({2}, Dtype::f64)); }, "is not on this tape"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { tape.backward(y, Tensor::zeros({3}, Dtype::f64)); },
                                         "the gradient has shape [3], the value [2]"));
  tape.backward(loss);
  EXPECT_TRUE(throws<UsageError>([&] { tape.backward(loss); }, "walked already"));
}

TEST(Tape, RefusesValuesOfAnEndedTape) {
  Variable x = parameter({1});
  Variable old;
  {
    Tape tape;
    old = ops::scale(x, 2);
  }
  Tape tape;
  EXPECT_TRUE(throws<UsageError>([&] { ops::square(old); },
                                 "square: an input of shape [1] was recorded on a tape that has ended; detach() it first"));
  EXPECT_EQ(ops::square(old.detach()).value().item(), 4);
}

TEST(Tape, FreezesParametersWhileItHoldsRecords) {
  Variable x = parameter({1});
  Tape tape;
  x.value_for_update();  // nothing recorded yet
  const Variable y = ops::scale(x, 2);
  EXPECT_TRUE(throws<UsageError>([&] { x.value_for_update(); }, "may not change while the tape holds 1 records"));
  {
    const autograd::NoGrad off, further_off;  // the tape waits, and its records with it
    EXPECT_TRUE(throws<UsageError>([&] { x.value_for_update(); }, "may not change while the tape holds 1 records"));
  }
  tape.backward(y);
  EXPECT_NO_THROW(x.value_for_update());
}

TEST(Tape, SaysWhereABackwardFailed) {
  Variable x = parameter({1});
  Tape tape;
  const Variable y = autograd::record("broken", {ops::scale(x, 1)}, Tensor::zeros({1}, Dtype::f64),
                                      [](Tensor) -> Gradients { engine::fail<UsageError>("the lamp went out"); });
  EXPECT_TRUE(
      throws<engine::BackendError>([&] { tape.backward(y); }, "backward of broken (record 1 of 2): the lamp went out"));
}

TEST(Tape, ChecksTheShapesOfGradients) {
  Variable x = parameter({1, 2});
  Tape tape;
  const Variable y = autograd::record("wrong_shape", {x}, Tensor::zeros({2}, Dtype::f64),
                                      [](Tensor) -> Gradients { return {Tensor::zeros({3}, Dtype::f64)}; });
  EXPECT_TRUE(throws<engine::Error>([&] { tape.backward(y, Tensor::zeros({2}, Dtype::f64)); },
                                    "gradient 0 should have shape [2], got [3]"));
}

TEST(Tape, AMillionRecords) {
  Variable x = parameter({1});
  {
    Tape tape;
    Variable y = x;
    for (int i = 0; i < 1000000; ++i) y = ops::add_scalar(y, 1);
    EXPECT_EQ(tape.size(), 1000000u);
    tape.backward(y);
    EXPECT_EQ(x.grad().item(), 1);
  }
  std::optional<Tape> abandoned(std::in_place);  // destruction without a walk is a loop as well
  Variable y = x;
  for (int i = 0; i < 100000; ++i) y = ops::add_scalar(y, 1);
  abandoned.reset();
}

TEST(Tape, MemoryFallsDuringTheWalk) {
  struct Watch : autograd::Observer {
    void before_backward(const Step&, const Tensor&) override { use.push_back(in_use()); }
    std::vector<std::size_t> use;
  } watch;
  const std::size_t before = in_use();
  {
    Variable x = Variable::parameter(Tensor::zeros({1 << 16}));
    Tape tape({.observer = &watch});
    Variable loss;
    {
      Variable y = x;
      for (int i = 0; i < 20; ++i) y = ops::square(y);
      loss = ops::sum(y);
    }
    tape.backward(loss);
    ASSERT_EQ(watch.use.size(), 21u);
    for (std::size_t i = 3; i < watch.use.size(); ++i) EXPECT_LT(watch.use[i], watch.use[i - 1]);
  }
  EXPECT_EQ(in_use(), before);
}

TEST(Tape, KeepingALossKeepsNothingElse) {
  Variable x = Variable::parameter(Tensor::zeros({1 << 16}));
  std::size_t before = in_use();
  Variable loss;
  {
    Tape tape;
    loss = ops::sum(ops::square(ops::square(x)));
  }
  EXPECT_LE(in_use() - before, 64u);
}

/// conv, batch norm with LeakyReLU, conv, residual sum of two norms, conv: what recipes are for.
std::vector<Tensor> step_of_a_small_network(const autograd::TapeOptions& options, std::size_t* held) {
  const Tensor image = random_tensor({1, 6, 6, 6, 4}, 1, Dtype::f32);
  std::vector<Variable> w, gamma, beta;
  for (std::uint64_t i = 0; i < 3; ++i) {
    w.push_back(Variable::parameter(random_tensor({4, 3, 3, 3, 4}, 10 + i, Dtype::f32, 0.1)));
    gamma.push_back(Variable::parameter(random_tensor({4}, 20 + i, Dtype::f32, 0.1, 1)));
    beta.push_back(Variable::parameter(random_tensor({4}, 30 + i, Dtype::f32, 0.1)));
  }
  const ops::ConvSpec same{{{1, 1, 1}}, {{1, 1, 1}}};
  Tape tape(options);
  Variable loss;
  const std::size_t before = in_use();
  {
    const auto block = [&](const Variable& x, std::size_t i) {
      ops::RunningStatistics running{Tensor::zeros({4}), Tensor::full({4}, 1)};
      return ops::batch_norm(ops::conv(x, w[i], {}, same), gamma[i], beta[i], running, {.slope = 0.01});
    };
    const Variable a = block(Variable(image), 0), b = block(a, 1);
    loss = ops::mean(ops::conv(ops::reshape(ops::concat({ops::add(a, b)}, -1), a.shape()), w[2], {}, same));
  }
  *held = in_use() - before;
  tape.backward(loss);
  std::vector<Tensor> results{loss.value()};
  for (const auto* list : {&w, &gamma, &beta})
    for (const Variable& v : *list)
      if (v.has_grad()) results.push_back(v.grad());
  return results;
}

TEST(Tape, RecomputingChangesMemoryAndNotABit) {
  std::size_t held_with = 0, held_without = 0;
  const std::vector<Tensor> with = step_of_a_small_network({}, &held_with),
                            without = step_of_a_small_network({.recompute = false}, &held_without);
  ASSERT_EQ(with.size(), without.size());
  ASSERT_EQ(with.size(), 1u + 3 + 2 + 2);
  for (std::size_t i = 0; i < with.size(); ++i) EXPECT_TRUE(identical(with[i], without[i])) << i;
  EXPECT_LT(held_with, held_without * 2 / 3);
}

TEST(Tape, KeepsOneApproximationOfAnActivationForAllThatNeedIt) {
  std::vector<engine::Shape> kept;
  const auto as_it_is = [&](const Tensor& x) -> autograd::Recipe {
    kept.push_back(x.shape());
    return [x] { return x; };
  };
  std::size_t held = 0;
  const std::vector<Tensor> plain = step_of_a_small_network({}, &held),
                            with = step_of_a_small_network({.keep = as_it_is}, &held);
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(identical(plain[i], with[i])) << i;
  // The results of the first two convolutions, which their norms need, and the recipes of these; not the image, which no
  // operation made, not the last result, which no backward needs, no weight.
  EXPECT_EQ(kept, std::vector<engine::Shape>(2, {1, 6, 6, 6, 4}));
  const std::vector<Tensor> declined =
      step_of_a_small_network({.keep = [](const Tensor&) { return autograd::Recipe(); }}, &held);
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(identical(plain[i], declined[i])) << i;
}

TEST(Scope, NamesWhatIsRecorded) {
  struct Watch : autograd::Observer {
    void after_forward(const Step& step, const Tensor&) override {
      seen.push_back(step.scope + ":" + step.op), where = step.where;
    }
    std::vector<std::string> seen;
    std::string where;
  } watch;
  Variable x = parameter({1});
  Tape tape({.observer = &watch});
  {
    const autograd::Scope encoder("encoder"), first("0");
    ops::scale(x, 2);
  }
  ops::square(x);
  EXPECT_EQ(watch.seen, (std::vector<std::string>{"encoder.0:scale", ":square"}));
  EXPECT_TRUE(watch.where.starts_with("ops/arithmetic.cpp:")) << watch.where;
}

TEST(Tape, TellsWhatEveryInputIs) {
  struct Watch : autograd::Observer {
    void after_forward(const Step& step, const Tensor&) override {
      sources.push_back(step.sources), records.push_back(step.record);
    }
    std::vector<std::vector<std::int64_t>> sources;
    std::vector<std::int64_t> records;
  } watch;
  Variable x = parameter({1}), data(Tensor::zeros({1}, engine::Dtype::f64));
  Tape tape({.observer = &watch});
  const Variable twice = ops::scale(x, 2);
  ops::square(data);  // not recorded
  ops::add(twice, ops::add(x, data));
  using Step = autograd::Observer::Step;
  EXPECT_EQ(watch.records, (std::vector<std::int64_t>{0, -1, 1, 2}));
  EXPECT_EQ(watch.sources, (std::vector<std::vector<std::int64_t>>{
                               {Step::parameter}, {Step::constant}, {Step::parameter, Step::constant}, {0, 1}}));
}

TEST(Tape, ObserversSeeWhatAnOperationWasCalledWith) {
  struct Watch : autograd::Observer {
    void after_forward(const Step& step, const Tensor& y) override {
      if (const auto* conv = step.spec.as<ops::ConvSpec>()) stride = conv->stride;
      EXPECT_EQ(step.spec.as<ops::NormSpec>() != nullptr, step.op == std::string("batch_norm"));
      inputs.push_back(step.inputs);
      last = y;
    }
    engine::Extents stride;
    std::vector<std::vector<Tensor>> inputs;
    Tensor last;
  } watch;
  const Variable x(Tensor::zeros({1, 4, 4, 4, 1})), w(Tensor::zeros({2, 2, 2, 2, 1})), gamma(Tensor::full({2}, 1)),
      beta(Tensor::zeros({2}));
  ops::RunningStatistics running{Tensor::zeros({2}), Tensor::full({2}, 1)};
  Tape tape({.observer = &watch});
  const Variable y = ops::conv(x, w, {}, {.stride = {{2, 2, 2}}});
  const Variable z = ops::square(ops::batch_norm(y, gamma, beta, running, {.training = false}));
  EXPECT_EQ(tape.size(), 0u);  // nothing wants a gradient, and still it is seen
  EXPECT_EQ(watch.stride, (engine::Extents{{2, 2, 2}}));
  ASSERT_EQ(watch.inputs.size(), 3u);
  EXPECT_TRUE(watch.inputs[0][0].shares_memory_with(x.value()));
  EXPECT_TRUE(watch.inputs[0][1].shares_memory_with(w.value()));
  EXPECT_FALSE(watch.inputs[0][2].defined());
  ASSERT_EQ(watch.inputs[1].size(), 5u);  // with the statistics
  EXPECT_TRUE(watch.inputs[1][0].shares_memory_with(y.value()));
  EXPECT_TRUE(watch.inputs[1][3].shares_memory_with(running.mean));
  EXPECT_TRUE(watch.last.shares_memory_with(z.value()));
}

}  // namespace
}  // namespace sagcl::tests
