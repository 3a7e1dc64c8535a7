// Lesson 9: contrastive learning with a memory bank. The page is docs/learn/09-contrastive-learning.md.
#include <cmath>
#include <numbers>
#include <vector>

#include "layers/optimiser.h"
#include "layers/projection_head.h"
#include "layers/schedule.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "semiagcl/contrastive_loss.h"
#include "semiagcl/memory_bank.h"
#include "semiagcl/training/teacher.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Tape;
using autograd::Variable;
using engine::Tensor;

namespace {

constexpr int each = 32, dim = 4;  // points of a class in a batch, numbers of an embedding
constexpr int steps = 600;
constexpr double tau = 0.2;

/// Points on two rings, radius 1 and 2, with noise: first `each` of class 0, then as many of class 1. [2 each, 2].
Tensor rings(engine::Generator random) {
  std::vector<double> points;
  for (int i = 0; i < 2 * each; ++i) {
    const double angle = random.uniform(0, 2 * std::numbers::pi), radius = (i < each ? 1 : 2) + 0.15 * random.normal();
    points.insert(points.end(), {radius * std::cos(angle), radius * std::sin(angle)});
  }
  return Tensor::of({2 * each, 2}, points);
}

/// Mean product of the rows [first, first + each) with those from `second` on: 1 if all point the same way.
double likeness(const Tensor& a, int first, int second) {
  double sum = 0;
  for (int i = 0; i < each; ++i)
    for (int j = 0; j < each; ++j)
      for (int d = 0; d < dim; ++d)
        sum += a.data<double>()[(first + i) * dim + d] * a.data<double>()[(second + j) * dim + d];
  return sum / (each * each);
}

/// Rows [first, first + each).
Tensor half(const Tensor& t, int first) {
  const double* from = t.data<double>() + first * dim;
  return Tensor::of({each, dim}, std::vector<double>(from, from + each * dim));
}

}  // namespace

int main() {
  learn::Claims claims;

  // L = -log( e^{q·k/τ} / (e^{q·k/τ} + Σ_n e^{q·n/τ}) ): which of the keys is the one? A question with 1 + M answers.
  fmt::print("One anchor q = (1, 0), its key k = (0.8, 0.6), two negatives (0.6, -0.8), (-1, 0), τ = {}:\n", tau);
  const Tensor k = Tensor::of<double>({1, 2}, {0.8, 0.6}), negatives = Tensor::of<double>({2, 2}, {0.6, -0.8, -1, 0});
  const double e[3] = {std::exp(0.8 / tau), std::exp(0.6 / tau), std::exp(-1 / tau)}, all = e[0] + e[1] + e[2];
  const double p[3] = {e[0] / all, e[1] / all, e[2] / all};
  // dL/dq = -((1 - p_k) k - Σ p_n n) / τ
  const double by_hand[2] = {-((1 - p[0]) * 0.8 - p[1] * 0.6 + p[2]) / tau, -((1 - p[0]) * 0.6 + p[1] * 0.8) / tau};
  Variable q = Variable::parameter(Tensor::of<double>({1, 2}, {1, 0}));
  double loss_value = 0;
  {
    Tape tape;
    const Variable losses = semiagcl::contrastive_losses(
        q, {.keys = k, .weights = Tensor::full({1, 1}, 1, engine::Dtype::f64), .shared = negatives, .tau = tau});
    loss_value = losses.value().item();
    tape.backward(ops::sum(losses));
  }
  const std::vector<double> dq = q.grad().to_doubles();
  fmt::print("  probabilities {:.4f} {:.4f} {:.4f}, loss {:.4f}\n", p[0], p[1], p[2], loss_value);
  fmt::print("  dL/dq by hand ({:.4f}, {:.4f}), by the tape ({:.4f}, {:.4f})\n", by_hand[0], by_hand[1], dq[0], dq[1]);
  claims.check(std::abs(loss_value + std::log(p[0])) < 1e-12 && std::abs(by_hand[0] - dq[0]) < 1e-12 &&
                   std::abs(by_hand[1] - dq[1]) < 1e-12,
               "both agree to 1e-12; the close negative pushes {:.0f} times as hard as the far one", p[1] / p[2]);

  fmt::print("\nTwo rings of points, {} of each in a step. A student embeds them, its teacher makes the keys:\n", each);
  engine::Generator random(9, "lesson 9");
  layers::ProjectionHead student(2, 32, dim, random), teacher(2, 32, dim, random);
  for (layers::ProjectionHead* head : {&student, &teacher}) layers::convert_to(*head, engine::Dtype::f64);
  layers::copy_weights(student, teacher);
  layers::Adam adam(layers::parameters_of(student));
  semiagcl::Method method;
  method.bank_size = 128, method.projection_dim = dim;
  semiagcl::MemoryBank bank(2, method, engine::Device::cpu(), engine::Dtype::f64);
  std::vector<std::int32_t> rows(2 * each);
  for (int i = 0; i < 2 * each; ++i) rows[std::size_t(i)] = i;
  const semiagcl::Picks picks{Tensor::of({2, each}, rows), Tensor::of<std::int32_t>({2}, {each, each})};
  const Tensor agreed = Tensor::full({2 * each}, 1, engine::Dtype::f64);
  const Tensor positives = Tensor::full({each, each}, 1.0 / each, engine::Dtype::f64);

  const layers::Pass training{.training = true};
  double within = 0, between = 0;
  for (int step = 0; step <= steps; ++step) {
    const Variable points(rings(random.fork(std::uint64_t(step))));
    const Tensor keys = teacher.forward(points, training).value();  // no tape: the teacher is a constant
    if (step > 0) {
      Tape tape;
      const Variable embedded = student.forward(points, training);
      Variable loss;
      for (int label = 0; label < 2; ++label) {
        const Variable mine = ops::slice(embedded, 0, label * each, each);
        const Variable one = ops::mean(semiagcl::contrastive_losses(
            mine, {.keys = half(keys, label * each), .weights = positives, .shared = bank.of(1 - label).keys, .tau = tau}));
        loss = loss.defined() ? ops::add(loss, one) : one;
      }
      tape.backward(loss);
    }
    bank.store(keys, picks, agreed);
    if (step > 0) {
      adam.step(layers::poly_decay(3e-3, step, steps));
      semiagcl::update_teacher(teacher, student, Tensor::full({1}, semiagcl::ema_alpha(step, 0.9), engine::Dtype::f64));
    }
    within = (likeness(keys, 0, 0) + likeness(keys, each, each)) / 2, between = likeness(keys, 0, each);
    if (step % 100 == 0)
      fmt::print("  step {:3}: likeness within a class {:5.2f}, between classes {:5.2f}, {:3} keys in the bank\n", step,
                 within, between, bank.count(0) + bank.count(1));
  }
  claims.check(bank.count(0) == 128 && bank.count(1) == 128, "the bank is full: the oldest keys make room");
  claims.check(within > 0.8 && between < 0, "classes have drawn together and apart from each other");
  return claims.exit_code();
}
