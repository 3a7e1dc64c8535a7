// Lesson 6: the gradient of a batch norm, and why a bias in front of it has none. The page is
// docs/learn/06-batch-norm-backward.md.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/random.h"
#include "layers/optimiser.h"
#include "ops/conv.h"
#include "ops/norm.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Tape;
using autograd::Variable;
using engine::Dtype;
using engine::Tensor;

namespace {

constexpr int rows = 6;
constexpr double eps = 1e-5;
using Column = std::vector<double>;

double mean(const Column& v) {
  double sum = 0;
  for (double a : v) sum += a;
  return sum / double(v.size());
}
double mean_product(const Column& a, const Column& b) {
  Column products;
  for (std::size_t i = 0; i < a.size(); ++i) products.push_back(a[i] * b[i]);
  return mean(products);
}

/// One channel. y = γ x̂ + β with x̂ = (x - mean) / s, s = sqrt(variance + eps). Every x moves the mean and the variance,
/// and so every y; summing these ways gives
///     dx = γ / s · ( dy - mean(dy) - x̂ mean(dy x̂) ).
struct ByHand {
  Column normal, dx;
  double dgamma = 0, dbeta = 0;
};
ByHand batch_norm_backward(const Column& x, const Column& dy, double gamma) {
  ByHand result;
  const double m = mean(x), s = std::sqrt(mean_product(x, x) - m * m + eps);
  for (double v : x) result.normal.push_back((v - m) / s);
  result.dbeta = rows * mean(dy), result.dgamma = rows * mean_product(dy, result.normal);
  for (int i = 0; i < rows; ++i)
    result.dx.push_back(gamma / s * (dy[i] - mean(dy) - result.normal[i] * mean_product(dy, result.normal)));
  return result;
}

double largest(const Tensor& t) {
  double most = 0;
  for (double v : t.to_doubles()) most = std::max(most, std::abs(v));
  return most;
}

Tensor random_numbers(const engine::Shape& shape, std::uint64_t seed, Dtype dtype) {
  engine::Generator random(seed, "lesson 6");
  Column values(std::size_t(shape.size()));
  for (double& v : values) v = random.normal();
  return Tensor::of(shape, values).to(dtype);
}

/// A convolution with a bias, then a batch norm or not: the gradients of the bias and of the weights.
struct Unit {
  Variable w, b;
  Unit(bool norm, bool training, Dtype dtype)
      : w(Variable::parameter(random_numbers({4, 1, 3, 3, 2}, 1, dtype))),
        b(Variable::parameter(random_numbers({4}, 2, dtype))) {
    const Variable x(random_numbers({2, 1, 8, 8, 2}, 3, dtype));
    ops::RunningStatistics running{Tensor::zeros({4}, dtype), Tensor::full({4}, 1, dtype)};
    const Variable gamma(Tensor::full({4}, 1, dtype)), beta(Tensor::zeros({4}, dtype));
    Tape tape;
    Variable y = ops::conv(x, w, b, {.padding = {{0, 1, 1}}});
    if (norm) y = ops::batch_norm(y, gamma, beta, running, {.training = training});
    tape.backward(y, random_numbers(y.shape(), 4, dtype));
  }
};

}  // namespace

int main() {
  learn::Claims claims;
  const Column x = {1, 2, 4, 3, 0, 2}, dy = {0.5, -1, 0.25, 1, 0, 2};
  const double gamma_value = 1.5;
  const ByHand hand = batch_norm_backward(x, dy, gamma_value);
  Variable input = Variable::parameter(Tensor::of({rows, 1}, x));
  Variable gamma = Variable::parameter(Tensor::full({1}, gamma_value, Dtype::f64));
  Variable beta = Variable::parameter(Tensor::zeros({1}, Dtype::f64));
  ops::RunningStatistics running{Tensor::zeros({1}, Dtype::f64), Tensor::full({1}, 1, Dtype::f64)};
  {
    Tape tape;
    tape.backward(ops::batch_norm(input, gamma, beta, running, {.eps = eps}), Tensor::of({rows, 1}, dy));
  }
  const Column dx = input.grad().to_doubles();
  fmt::print("     x       x̂      dy   dx by hand   dx by the tape\n");
  double difference = std::max(std::abs(hand.dgamma - gamma.grad().item()), std::abs(hand.dbeta - beta.grad().item()));
  for (int i = 0; i < rows; ++i) {
    fmt::print("{:6.2f}  {:6.3f}  {:6.2f}   {:10.6f}   {:14.6f}\n", x[i], hand.normal[i], dy[i], hand.dx[i], dx[i]);
    difference = std::max(difference, std::abs(hand.dx[i] - dx[i]));
  }
  claims.check(difference < 1e-12, "by hand and by the tape agree to 1e-12, dγ = {:.4f} and dβ = {:.4f} as well",
               hand.dgamma, hand.dbeta);
  claims.check(std::abs(mean(dx)) < 1e-12, "the sum of dx is 0: what is added to every x is taken away with the mean");
  claims.check(std::abs(mean_product(dx, hand.normal)) < 1e-4,
               "and dx has no part along x̂: a common factor is divided away");

  fmt::print("\nSo a bias b in front has db = Σ dx = 0. Largest |db| of a convolution with 4 channels:\n");
  const double without = largest(Unit(false, true, Dtype::f64).b.grad()),
               fixed = largest(Unit(true, false, Dtype::f64).b.grad());
  const double exact = largest(Unit(true, true, Dtype::f64).b.grad());
  Unit single(true, true, Dtype::f32);
  const double noise = largest(single.b.grad());
  fmt::print("  no batch norm behind it             {:.2f}\n", without);
  fmt::print("  batch norm, statistics fixed        {:.2f}\n", fixed);
  fmt::print("  batch norm, in double precision     {:.1e}\n", exact);
  fmt::print("  batch norm, in single precision     {:.1e}\n", noise);
  claims.check(exact < 1e-12 && noise < 1e-4, "with the statistics of the batch only rounding is left");
  claims.check(without > 1 && fixed > 1, "without them the bias matters");

  const Tensor before = single.b.value().clone();
  layers::Adam adam({{"b", &single.b}});
  adam.step(0.001);
  double moved = 0;
  for (int c = 0; c < 4; ++c)
    moved = std::max(moved, std::abs(double(single.b.value().data<float>()[c]) - before.data<float>()[c]));
  fmt::print("\nAdam divides a gradient by its size, so this rounding moves the bias by {:.4f} at lr 0.001.\n", moved);
  claims.check(moved > 0.0005, "Adam makes of noise a step as long as any other; the next mean takes it away again");
  return claims.exit_code();
}
