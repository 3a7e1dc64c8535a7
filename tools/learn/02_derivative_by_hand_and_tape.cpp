// Lesson 2: a derivative by hand, by difference quotient and by the tape; then learning, which is nothing but its use.
// The page is docs/learn/02-derivative-by-hand-and-tape.md.
#include <cmath>
#include <vector>

#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Tape;
using autograd::Variable;
using engine::Tensor;

namespace {

// One neuron: z = w x + b, p = 1 / (1 + e^-z), and how wrong it is: L = (p - t)².
constexpr double x = 1.5, t = 1;

double loss_of(double w, double b) {
  const double p = 1 / (1 + std::exp(-(w * x + b)));
  return (p - t) * (p - t);
}

/// The chain rule, factor by factor: dL/dw = dL/dp · dp/dz · dz/dw.
struct ByHand {
  double dw, db;
};
ByHand derivative_by_hand(double w, double b) {
  const double p = 1 / (1 + std::exp(-(w * x + b)));
  const double dp = 2 * (p - t);        // of (p - t)²
  const double dz = dp * p * (1 - p);   // of the sigmoid
  return {.dw = dz * x, .db = dz * 1};  // of w x + b
}

/// Prints what the tape records and how it is walked.
struct Printer final : autograd::Observer {
  void after_forward(const Step& s, const Tensor& y) override {
    fmt::print("  record {}: {:<10} -> {:7.4f}\n", s.record, s.op, y.item());
  }
  void after_backward(const Step& s, const autograd::Gradients& g) override {
    fmt::print("  record {}: {:<10} passes on", s.record, s.op);
    for (const Tensor& gradient : g)
      fmt::print(" {:>7}", gradient.defined() ? fmt::format("{:.4f}", gradient.item()) : "none");
    fmt::print("\n");
  }
};

Tensor number(double value) { return Tensor::full({1}, value, engine::Dtype::f64); }

/// p <- p - rate · gradient, and the gradient is forgotten.
void descend(Variable& p, double rate) {
  const std::vector<double> gradient = p.grad().to_doubles();
  double* value = p.value_for_update().data<double>();
  for (std::size_t i = 0; i < gradient.size(); ++i) value[i] -= rate * gradient[i];
  p.clear_grad();
}

}  // namespace

int main() {
  learn::Claims claims;
  const double w0 = 0.8, b0 = -0.4, h = 1e-5;
  const ByHand hand = derivative_by_hand(w0, b0);
  const double quotient_w = (loss_of(w0 + h, b0) - loss_of(w0 - h, b0)) / (2 * h);
  const double quotient_b = (loss_of(w0, b0 + h) - loss_of(w0, b0 - h)) / (2 * h);

  Variable w = Variable::parameter(number(w0)), b = Variable::parameter(number(b0));
  Printer printer;
  {
    fmt::print("Forward, each operation leaves a record:\n");
    Tape tape({.observer = &printer});
    const Variable z = ops::add(ops::multiply(w, Variable(number(x))), b);
    const Variable loss = ops::square(ops::add_scalar(ops::sigmoid(z), -t));
    fmt::print("Backward, the records from the last to the first:\n");
    tape.backward(loss);
  }
  const double tape_w = w.grad().item(), tape_b = b.grad().item();
  fmt::print("\n           by hand    difference quotient    tape\n");
  fmt::print("dL/dw    {:9.6f}    {:9.6f}              {:9.6f}\n", hand.dw, quotient_w, tape_w);
  fmt::print("dL/db    {:9.6f}    {:9.6f}              {:9.6f}\n", hand.db, quotient_b, tape_b);
  claims.check(std::abs(hand.dw - tape_w) < 1e-12 && std::abs(hand.db - tape_b) < 1e-12, "by hand and tape agree to 1e-12");
  claims.check(std::abs(quotient_w - tape_w) < 1e-8 && std::abs(quotient_b - tape_b) < 1e-8,
               "the difference quotient agrees to 1e-8");

  fmt::print("\nA neuron with two inputs learns 'or': step by step against the gradient.\n");
  const Variable inputs(Tensor::of<double>({4, 2}, {0, 0, 0, 1, 1, 0, 1, 1}));
  const Variable truth(Tensor::of<double>({4, 1}, {0, 1, 1, 1}));
  Variable weights = Variable::parameter(Tensor::of<double>({1, 2}, {0.1, -0.1}));
  Variable bias = Variable::parameter(number(0));
  double first = 0, last = 0;
  for (int step = 0; step <= 300; ++step) {
    Tape tape;
    const Variable p = ops::sigmoid(ops::linear(inputs, weights, bias));
    const Variable loss = ops::mean(ops::square(ops::subtract(p, truth)));
    last = loss.value().item();
    if (step == 0) first = last;
    if (step % 100 == 0) {
      fmt::print("  step {:3}: loss {:.4f}, answers", step, last);
      for (double answer : p.value().to_doubles()) fmt::print(" {:.2f}", answer);
      fmt::print("\n");
    }
    tape.backward(loss);
    descend(weights, 4);
    descend(bias, 4);
  }
  claims.check(last < first / 20, "300 steps make the loss less than a twentieth");
  return claims.exit_code();
}
