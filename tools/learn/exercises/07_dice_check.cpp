#include <cmath>

#include "ops/dice.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using autograd::Variable;
using engine::Tensor;
using exercises::Numbers;

namespace {

double loss(const Numbers& p, const Numbers& y) {
  double common = 0, both = 0;
  for (std::size_t i = 0; i < p.size(); ++i) common += p[i] * y[i], both += p[i] * p[i] + y[i] * y[i];
  return 1 - 2 * common / both;
}

}  // namespace

int main() try {
  const Numbers p = {0.9, 0.2, 0.6, 0.05, 0.4, 0.7}, y = {1, 0, 1, 0, 0, 1};
  const Numbers d = exercises::dice_gradient(p, y);
  if (d.size() != p.size()) return exercises::unfinished("07_dice.cpp", "give dL/dp of the Dice loss");
  Variable input = Variable::parameter(Tensor::of({6, 1}, p));  // six voxels, one class
  {
    autograd::Tape tape;
    tape.backward(ops::dice_loss_soft(input, Tensor::of({6, 1}, y), {.smooth = 0}));
  }
  learn::Claims claims;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double h = 1e-5, engine = input.grad().data<double>()[i];
    Numbers up = p, down = p;
    up[i] += h, down[i] -= h;
    const double quotient = (loss(up, y) - loss(down, y)) / (2 * h);
    claims.check(std::abs(d[i] - quotient) < 1e-8 && std::abs(d[i] - engine) < 1e-12,
                 "dL/dp[{}] is {:9.6f}, by a difference quotient {:9.6f}, by the engine {:9.6f}", i, d[i], quotient, engine);
  }
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
