#include <algorithm>
#include <cmath>

#include "ops/norm.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using autograd::Variable;
using engine::Tensor;
using exercises::Numbers;

namespace {

constexpr double eps = 1e-5;

/// Σ dy y for y = γ x̂ + β.
double loss(const Numbers& x, const Numbers& dy, double gamma, double beta) {
  double mean = 0, variance = 0, sum = 0;
  for (double v : x) mean += v / double(x.size());
  for (double v : x) variance += (v - mean) * (v - mean) / double(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) sum += dy[i] * (gamma * (x[i] - mean) / std::sqrt(variance + eps) + beta);
  return sum;
}

}  // namespace

int main() try {
  const Numbers x = {0.5, -1.25, 2, 0.75, 3}, dy = {1, -0.5, 0.25, 2, -1.5};
  const double gamma = 1.5, beta = -0.25, h = 1e-5;
  const exercises::NormGradients d = exercises::batch_norm_backward(x, dy, gamma, eps);
  if (d.dx.size() != x.size()) return exercises::unfinished("06_batch_norm.cpp", "give dx, dgamma and dbeta");
  learn::Claims claims;
  const double dgamma = (loss(x, dy, gamma + h, beta) - loss(x, dy, gamma - h, beta)) / (2 * h);
  const double dbeta = (loss(x, dy, gamma, beta + h) - loss(x, dy, gamma, beta - h)) / (2 * h);
  claims.check(std::abs(d.dbeta - dbeta) < 1e-8, "dbeta is {:.6f}, by a difference quotient {:.6f}", d.dbeta, dbeta);
  claims.check(std::abs(d.dgamma - dgamma) < 1e-8, "dgamma is {:.6f}, by a difference quotient {:.6f}", d.dgamma, dgamma);
  for (std::size_t i = 0; i < x.size(); ++i) {
    Numbers up = x, down = x;
    up[i] += h, down[i] -= h;
    const double dx = (loss(up, dy, gamma, beta) - loss(down, dy, gamma, beta)) / (2 * h);
    claims.check(std::abs(d.dx[i] - dx) < 1e-8, "dx[{}] is {:.6f}, by a difference quotient {:.6f}", i, d.dx[i], dx);
  }

  const auto parameter = [](std::int64_t n, const Numbers& v) { return Variable::parameter(Tensor::of({n, 1}, v)); };
  Variable input = parameter(5, x);
  ops::RunningStatistics running{Tensor::of<double>({1}, {0}), Tensor::of<double>({1}, {1})};
  {
    autograd::Tape tape;
    const Variable y = ops::batch_norm(input, Variable(Tensor::of<double>({1}, {gamma})),
                                       Variable(Tensor::of<double>({1}, {beta})), running, {.eps = eps});
    tape.backward(y, Tensor::of({5, 1}, dy));
  }
  const Numbers engine = input.grad().to_doubles();
  double difference = 0;
  for (std::size_t i = 0; i < x.size(); ++i) difference = std::max(difference, std::abs(engine[i] - d.dx[i]));
  claims.check(difference < 1e-12, "the engine's batch norm gives the same dx");
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
