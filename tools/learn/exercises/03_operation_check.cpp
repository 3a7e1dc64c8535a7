#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/arithmetic.h"
#include "ops/reduce.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using autograd::Variable;
using engine::Tensor;

namespace {

struct Counting final : autograd::Observer {
  int records = 0;
  void after_forward(const Step&, const Tensor&) override { ++records; }
};

/// b's in Σ (swish(a) + b).
double gradient_of_neighbour(const Tensor& x) {
  const Variable a = Variable::parameter(x.clone()), b = Variable::parameter(x.clone());
  autograd::Tape tape;
  tape.backward(ops::sum(ops::add(exercises::swish(a), b)));
  return b.grad().to_doubles()[0];
}

/// a's in Σ swish(a), the variable that swish was given being another one by then.
std::vector<double> gradient_with(const Tensor& x, const Tensor& later) {
  const Variable a = Variable::parameter(x.clone());
  Variable given = a;
  autograd::Tape tape;
  const Variable loss = ops::sum(exercises::swish(given));
  given = Variable(later);
  tape.backward(loss);
  return a.grad().to_doubles();
}

}  // namespace

int main() try {
  const Tensor x = Tensor::of<double>({2, 3}, {-3, -0.5, 0, 0.25, 1, 4});
  const Variable y = exercises::swish(Variable(x));
  if (!y.defined()) return exercises::unfinished("03_operation.cpp", "write x / (1 + e^-x) and its gradient");
  learn::Claims claims;
  claims.check(y.shape() == x.shape() && y.value().dtype() == x.dtype(), "forward: {} of shape {}, as x", y.value().dtype(),
               y.shape());
  for (std::int64_t i = 0; i < x.size() && claims.exit_code() == 0; ++i) {
    const double v = x.data<double>()[i], truth = v / (1 + std::exp(-v)), given = y.value().data<double>()[i];
    if (std::abs(given - truth) >= 1e-12) claims.check(false, "forward: at x = {} it is {}, not {}", v, given, truth);
  }
  if (claims.exit_code() != 0) return claims.exit_code();
  claims.check(true, "forward: every element of the result");
  Counting counting;
  bool on_tape = false;
  {
    autograd::Tape tape({.observer = &counting});
    on_tape = exercises::swish(Variable::parameter(x.clone())).wants_grad();
  }
  claims.check(on_tape && counting.records == 1, "the result is on the tape by one record; there are {}", counting.records);
  if (claims.exit_code() != 0) return claims.exit_code();
  const auto f = [](const std::vector<Variable>& v) { return exercises::swish(v[0]); };
  const autograd::GradcheckResult result = autograd::gradcheck(f, {x});
  claims.check(result.passed, "backward: {}{}", result.text(),
               result.passed ? "" : " (both times a random weight, which comes in by dy: is dy in your dx?)");
  if (!result.passed) return claims.exit_code();
  claims.check(gradient_of_neighbour(x) == 1, "dy is not written: what is added to the result has the gradient 1");
  claims.check(gradient_with(x, x) == gradient_with(x, Tensor::full(x.shape(), 7, engine::Dtype::f64)),
               "the backward has a value of its own: x may change before the tape is walked");
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
