// Lesson 5: a layer is a function that owns parameters; an optimiser moves them. The page is
// docs/learn/05-layer-and-optimiser.md.
#include <algorithm>
#include <cmath>

#include "layers/init.h"
#include "layers/optimiser.h"
#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/matmul.h"
#include "ops/softmax.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Tape;
using autograd::Variable;
using engine::Tensor;

namespace {

/// y = x wᵀ + b. It tells its parameters once, by name; counting, saving, averaging and training all ask describe().
class Dense final : public layers::Module {
 public:
  Dense(std::int64_t in, std::int64_t out, engine::Generator& random)
      : w_(Variable::parameter(layers::uniform_fan_in({out, in}, in, random))),
        b_(Variable::parameter(layers::uniform_fan_in({out}, in, random))) {}
  Variable forward(const Variable& x) const { return ops::linear(x, w_, b_); }
  void describe(layers::Parts& parts) override { parts.parameter("w", w_), parts.parameter("b", b_); }

 private:
  Variable w_, b_;
};

/// Two layers with a bend between them; without the bend they would be one.
class Network final : public layers::Module {
 public:
  explicit Network(engine::Generator& random) : first_(2, 8, random), second_(8, 2, random) {}
  Variable forward(const Variable& x) const { return second_.forward(ops::tanh(first_.forward(x))); }
  void describe(layers::Parts& parts) override { parts.child("first", first_), parts.child("second", second_); }

 private:
  Dense first_, second_;
};

// The rules of the optimisers for one number, as the papers state them.
struct SgdByHand {
  double p, v = 0;
  void step(double g, double lr) { v = 0.9 * v + g, p -= lr * v; }
};
struct AdamByHand {
  double p, m = 0, v = 0;
  int t = 0;
  void step(double g, double lr) {
    ++t, m = 0.9 * m + 0.1 * g, v = 0.999 * v + 0.001 * g * g;
    const double mean = m / (1 - std::pow(0.9, t)), square = v / (1 - std::pow(0.999, t));  // they began at 0
    p -= lr * mean / (std::sqrt(square) + 1e-8);
  }
};

/// Gives a parameter the gradient g: it is that of g · p.
void deliver(const Variable& p, double g) {
  Tape tape;
  tape.backward(ops::scale(p, g));
}

/// Prints the loss of a training on "exclusive or" and gives the last one.
template <class Optimiser, class Spec>
double train(const char* name, const Spec& spec, double lr) {
  const Variable x(Tensor::of<double>({4, 2}, {0, 0, 0, 1, 1, 0, 1, 1}));
  const Tensor labels = Tensor::of<std::int32_t>({4}, {0, 1, 1, 0});
  engine::Generator random(5, "lesson 5");
  Network network(random);
  layers::convert_to(network, engine::Dtype::f64);
  Optimiser optimiser(layers::parameters_of(network), spec);
  double last = 0;
  fmt::print("  {:<22}", name);
  for (int step = 0; step <= 200; ++step) {
    Tape tape;
    const Variable loss = ops::cross_entropy(network.forward(x), labels);
    last = loss.value().item();
    if (step % 50 == 0) fmt::print(" {:.4f}", last);
    tape.backward(loss);
    optimiser.step(lr);
  }
  fmt::print("   answers");
  for (std::int32_t answer : ops::most_likely(network.forward(x).value()).to_vector<std::int32_t>())
    fmt::print(" {}", answer);
  fmt::print("\n");
  return last;
}

}  // namespace

int main() {
  learn::Claims claims;
  engine::Generator random(5, "lesson 5");
  Network network(random);
  fmt::print("The network tells its parts:\n");
  for (const auto& [name, parameter] : layers::parameters_of(network)) fmt::print("  {:<9} {}\n", name, parameter->shape());
  claims.check(layers::count_parameters(network) == 2 * 8 + 8 + 8 * 2 + 2, "{} parameters",
               layers::count_parameters(network));

  fmt::print(
      "\nOne number, three gradients, lr 0.1:\n  gradient   SGD by hand   layers::Sgd   Adam by hand   layers::Adam\n");
  const auto start = [] { return Variable::parameter(Tensor::full({1}, 1, engine::Dtype::f64)); };
  Variable ours = start(), theirs = start();
  SgdByHand sgd_by_hand{1};
  AdamByHand adam_by_hand{1};
  layers::Sgd sgd({{"p", &ours}}, {.momentum = 0.9});
  layers::Adam adam({{"p", &theirs}});
  double difference = 0;
  for (double g : {3.0, -1.0, 0.5}) {
    sgd_by_hand.step(g, 0.1), adam_by_hand.step(g, 0.1);
    deliver(ours, g), sgd.step(0.1);
    deliver(theirs, g), adam.step(0.1);
    fmt::print("  {:8.1f}   {:11.6f}   {:11.6f}   {:12.6f}   {:12.6f}\n", g, sgd_by_hand.p, ours.value().item(),
               adam_by_hand.p, theirs.value().item());
    difference = std::max(
        {difference, std::abs(sgd_by_hand.p - ours.value().item()), std::abs(adam_by_hand.p - theirs.value().item())});
  }
  claims.check(difference < 1e-12, "the library's optimisers follow the rules to 1e-12");

  fmt::print("\nExclusive or, loss at step 0, 50, 100, 150, 200:\n");
  const double plain = train<layers::Sgd>("SGD, lr 0.1", ops::SgdSpec{.momentum = 0}, 0.1);
  const double momentum = train<layers::Sgd>("with momentum 0.9", ops::SgdSpec{.momentum = 0.9}, 0.1);
  const double adaptive = train<layers::Adam>("Adam, lr 0.05", ops::AdamSpec{}, 0.05);
  claims.check(momentum < plain && adaptive < plain, "momentum and Adam are faster than plain descent");
  claims.check(adaptive < 0.05, "a loss below 0.05: the network knows it");
  return claims.exit_code();
}
