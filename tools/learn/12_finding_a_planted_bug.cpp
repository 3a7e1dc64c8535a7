// Lesson 12: a wrong gradient does not crash, and the loss may fall all the same. How to find it. The page is
// docs/learn/12-finding-a-planted-bug.md.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "engine/random.h"
#include "layers/optimiser.h"
#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Gradients;
using autograd::Tape;
using autograd::Variable;
using engine::Tensor;

namespace {

/// The mean of each column of t [rows, columns].
std::vector<double> column_means(const Tensor& t) {
  const std::int64_t rows = t.shape()[0], columns = t.shape()[1];
  std::vector<double> means(std::size_t(columns), 0.0);
  for (std::int64_t i = 0; i < t.size(); ++i) means[std::size_t(i % columns)] += t.data<double>()[i] / double(rows);
  return means;
}

Tensor without_means(const Tensor& t) {
  const std::vector<double> means = column_means(t);
  Tensor y = t.clone();
  for (std::int64_t i = 0; i < t.size(); ++i) y.data<double>()[i] -= means[std::size_t(i % t.shape()[1])];
  return y;
}

/// y = x - mean(x), for each column. With the bug the backward takes the mean for a constant.
Variable centre(const Variable& x, bool bug) {
  return autograd::record("centre", {x}, without_means(x.value()),
                          [bug](Tensor dy) -> Gradients { return {bug ? dy : without_means(dy)}; });
}

/// The network as a list of parts, each from rows to rows: so it can be cut anywhere.
struct Part {
  std::string name;
  std::function<Variable(const Variable&)> f;
};

/// The first `count` parts.
Variable apply(const std::vector<Part>& network, std::size_t count, Variable x) {
  for (std::size_t i = 0; i < count; ++i) x = network[i].f(x);
  return x;
}

Tensor random_numbers(const engine::Shape& shape, std::uint64_t seed) {
  engine::Generator random(seed, "lesson 12");
  std::vector<double> values(std::size_t(shape.size()));
  for (double& v : values) v = 0.7 * random.normal();
  return Tensor::of(shape, values);
}

std::vector<Part> make_network(const Variable& w1, const Variable& w2, const Variable& b2, bool bug) {
  return {{"linear 3 -> 5", [=](const Variable& x) { return ops::linear(x, w1, {}); }},
          {"tanh", [](const Variable& x) { return ops::tanh(x); }},
          {"centre", [=](const Variable& x) { return centre(x, bug); }},
          {"linear 5 -> 2", [=](const Variable& x) { return ops::linear(x, w2, b2); }},
          {"tanh again", [](const Variable& x) { return ops::tanh(x); }}};
}

/// Prints the loss at step 0, 250, … 1000 of a descent towards a target and gives the last.
double train(bool bug) {
  Variable w1 = Variable::parameter(random_numbers({5, 3}, 1)), w2 = Variable::parameter(random_numbers({2, 5}, 2));
  Variable b2 = Variable::parameter(random_numbers({2}, 5));
  layers::Sgd sgd({{"w1", &w1}, {"w2", &w2}, {"b2", &b2}}, {.momentum = 0});
  const Variable x(random_numbers({6, 3}, 3)), target(ops::tanh(Variable(random_numbers({6, 2}, 4))).value());
  double last = 0;
  for (int step = 0; step <= 1000; ++step) {
    Tape tape;
    const Variable loss = ops::mean(ops::square(ops::subtract(apply(make_network(w1, w2, b2, bug), 5, x), target)));
    last = loss.value().item();
    if (step % 250 == 0) fmt::print(" {:.4f}", last);
    tape.backward(loss);
    sgd.step(0.3);
  }
  fmt::print("\n");
  return last;
}

}  // namespace

int main() {
  learn::Claims claims;
  fmt::print("Two networks learn the same; one has a bug in a gradient. Loss at step 0, 250, 500, 750, 1000:\n");
  fmt::print("  right ");
  const double right = train(false);
  fmt::print("  bug   ");
  const double wrong = train(true);
  claims.check(right < 0.002 && wrong < 0.002, "both learn: whoever looks at the loss alone sees no bug");

  const Variable w1(random_numbers({5, 3}, 1)), w2(random_numbers({2, 5}, 2)), b2(random_numbers({2}, 5));
  const std::vector<Part> network = make_network(w1, w2, b2, true);
  const Tensor x = random_numbers({6, 3}, 3);
  fmt::print("\nThe gradient in x of the first parts together, against difference quotients:\n");
  std::size_t guilty = 0;
  for (std::size_t count = 1; count <= network.size(); ++count) {
    const auto f = [&](const std::vector<Variable>& v) { return apply(network, count, v[0]); };
    const autograd::GradcheckResult result = autograd::gradcheck(f, {x});
    fmt::print("  up to {:<14} {}, error {}\n", network[count - 1].name, result.passed ? "passed" : "FAILED",
               result.passed ? "below 1e-7" : fmt::format("{:.3f}", result.worst));
    if (!result.passed && guilty == 0) guilty = count;
  }
  claims.check(guilty == 3, "the first that fails is '{}'", guilty == 0 ? "none" : network[guilty - 1].name);

  fmt::print("\nThat part alone, for y = x - mean(x) of one column, dy = 1 0 0 2:\n");
  const auto gradient = [](bool bug) {
    Variable v = Variable::parameter(Tensor::of<double>({4, 1}, {1, 2, 3, 4}));
    Tape tape;
    tape.backward(centre(v, bug), Tensor::of<double>({4, 1}, {1, 0, 0, 2}));
    return v.grad().to_doubles();
  };
  const std::vector<double> dx = gradient(true);
  std::vector<double> quotients;
  for (int i = 0; i < 4; ++i) {  // Σ dy · (y(x + h e_i) - y(x - h e_i)) / 2h
    const auto value = [&](double h) {
      Tensor moved = Tensor::of<double>({4, 1}, {1, 2, 3, 4});
      moved.data<double>()[i] += h;
      const std::vector<double> y = centre(Variable(moved), true).value().to_doubles();
      return y[0] * 1 + y[3] * 2;
    };
    quotients.push_back((value(1e-4) - value(-1e-4)) / 2e-4);
  }
  bool constant = true;
  fmt::print("  its gradient  quotient  difference\n");
  for (std::size_t i = 0; i < 4; ++i) {
    fmt::print("  {:12.4f}  {:8.4f}  {:10.4f}\n", dx[i], quotients[i], dx[i] - quotients[i]);
    constant = constant && std::abs(dx[i] - quotients[i] - 0.75) < 1e-9;
  }
  claims.check(constant, "the difference is the mean of dy everywhere: the way through the mean was forgotten");
  const auto repaired = [](const std::vector<Variable>& v) { return centre(v[0], false); };
  claims.check(autograd::gradcheck(repaired, {x}).passed, "repaired, it passes");
  return claims.exit_code();
}
