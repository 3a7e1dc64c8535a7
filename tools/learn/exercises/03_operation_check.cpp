#include <cmath>

#include "autograd/gradcheck.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using autograd::Variable;
using engine::Tensor;

int main() {
  const Tensor x = Tensor::of<double>({2, 3}, {-3, -0.5, 0, 0.25, 1, 4});
  const Variable y = exercises::swish(Variable(x));
  if (!y.defined()) return exercises::unfinished("03_operation.cpp", "write x / (1 + e^-x) and its gradient");
  learn::Claims claims;
  bool equal = y.shape() == x.shape();
  for (std::int64_t i = 0; equal && i < x.size(); ++i)
    equal = std::abs(y.value().data<double>()[i] - x.data<double>()[i] / (1 + std::exp(-x.data<double>()[i]))) < 1e-12;
  claims.check(equal, "forward: every element of the result");
  bool on_tape = false;
  {
    autograd::Tape tape;
    on_tape = exercises::swish(Variable::parameter(x.clone())).wants_grad();
  }
  claims.check(on_tape, "the result is on the tape");
  if (!on_tape) return claims.exit_code();
  const auto f = [](const std::vector<Variable>& v) { return exercises::swish(v[0]); };
  const autograd::GradcheckResult result = autograd::gradcheck(f, {x});
  claims.check(result.passed, "backward: {}", result.text());
  return claims.exit_code();
}
