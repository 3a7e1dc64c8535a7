#include <algorithm>
#include <cmath>

#include "ops/nuclear_norm.h"
#include "tools/learn/exercises/exercises.h"

using namespace sagcl;
using autograd::Variable;
using engine::Tensor;
using exercises::Numbers;

namespace {

/// Rotates by the angle a in the plane of the first two axes, then by b in that of the last two.
Numbers rotation(double a, double b) {
  const double ca = std::cos(a), sa = std::sin(a), cb = std::cos(b), sb = std::sin(b);
  return {ca, -sa, 0, cb * sa, cb * ca, -sb, sb * sa, sb * ca, cb};
}

Numbers product(const exercises::Decomposition& d) {
  Numbers a(9, 0.0);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 3; ++k) a[3 * i + j] += d.u[3 * i + k] * d.s[k] * d.v[3 * j + k];
  return a;
}

double norm(const Numbers& a) { return ops::nuclear_norm(Variable(Tensor::of({1, 3, 3}, a))).value().item(); }

double largest_difference(const Numbers& a, const Numbers& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

}  // namespace

int main() try {
  const exercises::Decomposition smooth{.n = 3, .u = rotation(0.4, 1.1), .s = {4, 1.5, 0.25}, .v = rotation(-0.7, 0.3)};
  const Numbers w = exercises::nuclear_norm_subgradient(smooth, 1e-6);
  if (w.size() != 9) return exercises::unfinished("08_subgradient.cpp", "make W of U and V");
  learn::Claims claims;
  const Numbers a = product(smooth);
  Numbers quotients;
  for (std::size_t i = 0; i < 9; ++i) {
    const double h = 1e-5;
    Numbers up = a, down = a;
    up[i] += h, down[i] -= h;
    quotients.push_back((norm(up) - norm(down)) / (2 * h));
  }
  claims.check(largest_difference(w, quotients) < 1e-8,
               "three values above 0: all nine derivatives as by difference quotients");

  const exercises::Decomposition kink{.n = 3, .u = smooth.u, .s = {4, 1.5, 1e-9}, .v = smooth.v};
  const Numbers smallest = exercises::nuclear_norm_subgradient(kink, 1e-6);
  double square = 0, along = 0;
  for (std::size_t i = 0; i < smallest.size(); ++i)
    square += smallest[i] * smallest[i], along += smallest[i] * product(kink)[i];
  claims.check(std::abs(square - 2) < 1e-12,
               "a value of nearly 0: the squares of W sum to {:.3f}, one for each that is left", square);
  claims.check(std::abs(along - 5.5) < 1e-8, "the sum of W A is {:.4f}, that of the values 5.5", along);

  Variable matrix = Variable::parameter(Tensor::of({1, 3, 3}, product(kink)));
  {
    autograd::Tape tape;
    tape.backward(ops::nuclear_norm(matrix));
  }
  claims.check(largest_difference(smallest, matrix.grad().to_doubles()) < 1e-8, "and it is the one that the engine takes");
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
