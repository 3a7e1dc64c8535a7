// Lesson 3: a new operation in six steps, on the engine's public headers. The page is docs/learn/03-new-operation.md.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "engine/parallel.h"
#include "engine/random.h"
#include "ops/checks.h"
#include "ops/matmul.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Gradients;
using autograd::Variable;
using engine::Tensor;

namespace {

// Step 1, the formula: y = log(1 + e^x), the smooth form of max(x, 0), for each element.
//
// Step 2, a form that numbers can bear: e^1000 is infinite, but log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) is not.
template <class T>
T softplus_of(T x) {
  return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
}

// Step 3, its derivative: dy/dx = e^x / (1 + e^x) = 1 / (1 + e^-x), the sigmoid.
template <class T>
T slope_of(T x) {
  return 1 / (1 + std::exp(-x));
}

/// y = log(1 + e^x), element by element. UsageError for an undefined x, DtypeError unless f32 or f64.
Variable softplus(const Variable& x) {
  // Step 4, the checks: what comes in wrong must not come out as a number.
  ops::checks::defined("softplus", "x", x);
  ops::checks::floating("softplus", x.value());
  engine::require<engine::DeviceError>(x.value().device().is_cpu(), "softplus: this lesson computes on the CPU alone");

  // Step 5, forward and, directly below it, backward. What the lambda captures is what the tape keeps.
  Tensor y = Tensor::empty_like(x.value());
  engine::visit_float(y.dtype(), [&]<class T>(engine::Type<T>) {
    const T* from = x.value().data<T>();
    engine::parallel_for(y.size(), 1024, [from, to = y.data<T>()](std::int64_t i) { to[i] = softplus_of(from[i]); });
  });
  return autograd::record("softplus", {x}, y, [input = x.value()](Tensor dy) -> Gradients {
    Tensor dx = ops::checks::reuse(dy);  // dx may take the memory of dy: each element is read before it is written
    engine::visit_float(dx.dtype(), [&]<class T>(engine::Type<T>) {
      const T *from = input.data<T>(), *up = dy.data<T>();
      engine::parallel_for(dx.size(), 1024, [=, to = dx.data<T>()](std::int64_t i) { to[i] = up[i] * slope_of(from[i]); });
    });
    return {dx};
  });
}

/// The same with a mistake that is easily made: dy is forgotten.
Variable wrong_softplus(const Variable& x) {
  Tensor y = softplus(x.detach()).value();
  return autograd::record("wrong_softplus", {x}, y, [input = x.value()](Tensor dy) -> Gradients {
    Tensor dx = Tensor::empty_like(dy);
    for (std::int64_t i = 0; i < dx.size(); ++i) dx.data<double>()[i] = slope_of(input.data<double>()[i]);
    return {dx};
  });
}

Tensor random_numbers(const engine::Shape& shape, std::uint64_t seed) {
  engine::Generator random(seed, "lesson 3");
  std::vector<double> values(std::size_t(shape.size()));
  for (double& v : values) v = random.normal();
  return Tensor::of(shape, values);
}

}  // namespace

int main() {
  learn::Claims claims;
  fmt::print("    x     log(1 + e^x) as written    softplus(x)\n");
  for (double x : {-2.0, 0.0, 2.0, 1000.0})
    fmt::print("{:6.0f}    {:8.4f}                {:11.4f}\n", x, std::log(1 + std::exp(x)), softplus_of(x));
  claims.check(softplus_of(1000.0) == 1000 && std::isinf(std::log(1 + std::exp(1000.0))),
               "the formula as written overflows, the other form does not");

  std::string refusal;
  try {
    softplus(Variable(Tensor::zeros({2}, engine::Dtype::i32)));
  } catch (const engine::DtypeError& e) { refusal = e.what(); }
  fmt::print("\n{}\n", refusal);
  claims.check(!refusal.empty(), "whole numbers are refused");

  // Step 6, the proof: against difference quotients in double precision, alone and behind and before other operations.
  const Tensor x = random_numbers({4, 5}, 1), w = random_numbers({3, 5}, 2);
  const auto alone = autograd::gradcheck([](const std::vector<Variable>& v) { return softplus(v[0]); }, {x});
  const auto within = autograd::gradcheck(
      [](const std::vector<Variable>& v) { return softplus(ops::matmul(softplus(v[0]), v[1], {.transpose_b = true})); },
      {x, w});
  const auto wrong = autograd::gradcheck([](const std::vector<Variable>& v) { return wrong_softplus(v[0]); }, {x});
  fmt::print("\nLargest relative error of the gradient:\n");
  fmt::print("  softplus {:.1e}, within a network {:.1e}, without dy {:.3f}\n", alone.worst, within.worst, wrong.worst);
  claims.check(alone.passed && within.passed, "the gradient is right to 1e-7");
  claims.check(!wrong.passed, "a gradient that forgets dy is caught");
  return claims.exit_code();
}
