// Lesson 8: the nuclear norm, its gradient where it has one, and a subgradient where it has none. The page is
// docs/learn/08-nuclear-norm-subgradient.md.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/random.h"
#include "ops/nuclear_norm.h"
#include "tools/learn/lesson.h"

using namespace sagcl;
using autograd::Tape;
using autograd::Variable;
using engine::Tensor;

namespace {

using Numbers = std::vector<double>;

Tensor matrix(const Numbers& a) {
  const auto n = std::int64_t(std::lround(std::sqrt(double(a.size()))));
  return Tensor::of({1, n, n}, a);
}

double norm(const Numbers& a) { return ops::nuclear_norm(Variable(matrix(a))).value().item(); }

/// The gradient U Vᵀ that the tape gives.
Numbers gradient(const Numbers& a) {
  Variable v = Variable::parameter(matrix(a));
  Tape tape;
  tape.backward(ops::nuclear_norm(v));
  return v.grad().to_doubles();
}

double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double trace(const Numbers& a) { return ops::trace(Variable(matrix(a))).value().item(); }

/// A[i,j] = exp(-(student_i - teacher_j)²): how alike two networks see the patches (Eq. 2, with a number for each patch).
Numbers affinity(const Numbers& student, const Numbers& teacher) {
  Numbers a;
  for (double s : student)
    for (double t : teacher) a.push_back(std::exp(-(s - t) * (s - t)));
  return a;
}

void print(const char* name, const Numbers& a) {
  fmt::print("{}", name);
  for (double v : a) fmt::print(" {:7.4f}", std::abs(v) < 5e-5 ? 0.0 : v);
  fmt::print("\n");
}

}  // namespace

int main() {
  learn::Claims claims;

  fmt::print("A = (3 1; 0 2). For two rows and columns there is a formula: ‖A‖∗ = √(a² + b² + c² + d² + 2 |det A|).\n");
  const Numbers a = {3, 1, 0, 2}, cofactors = {2, 0, -1, 3};
  const double by_hand = std::sqrt(9 + 1 + 4 + 2 * 6.0);
  print("  singular values    ", ops::singular_values(matrix(a)).to_doubles());
  fmt::print("  their sum           {:7.4f}, by the formula {:.4f}\n", norm(a), by_hand);
  Numbers slope;  // of the formula, by the chain rule: d det A / dA are the cofactors
  for (int i = 0; i < 4; ++i) slope.push_back((a[i] + cofactors[i]) / by_hand);
  const Numbers w = gradient(a);
  print("  its derivative      ", slope);
  print("  the tape's, U Vᵀ    ", w);
  double difference = std::abs(norm(a) - by_hand);
  for (int i = 0; i < 4; ++i) difference = std::max(difference, std::abs(slope[i] - w[i]));
  claims.check(difference < 1e-12, "value and gradient agree with the formula to 1e-12");

  fmt::print("\nW = U Vᵀ bounds the norm from below everywhere: ‖B‖∗ >= ‖A‖∗ + ⟨W, B − A⟩.\n");
  engine::Generator random(8, "lesson 8");
  double least = 1e300;
  for (int i = 0; i < 1000; ++i) {
    Numbers b = a;
    for (double& v : b) v += 3 * random.normal();
    least = std::min(least, norm(b) - (norm(a) + dot(w, b) - dot(w, a)));
  }
  claims.check(least > -1e-12, "true for 1000 random B");

  fmt::print("\nA kink: the norm of (1 0; 0 t) is 1 + |t|.\n       t    norm   W[1,1]\n");
  for (double t : {-0.1, -0.001, 0.0, 0.001, 0.1})
    fmt::print("  {:6.3f}  {:6.3f}   {:6.3f}\n", t, norm({1, 0, 0, t}), gradient({1, 0, 0, t})[3] + 0.0);
  claims.check(gradient({1, 0, 0, 0})[3] == 0, "at t = 0 every number from -1 to 1 is a subgradient; 0 is the smallest");

  fmt::print(
      "\nA low rank is what it rewards. A matrix of rank one and noise, then its singular values less 0.8, but not below "
      "0:\n");
  Numbers noisy;
  for (int row = 1; row <= 4; ++row)
    for (int column = 1; column <= 4; ++column) noisy.push_back(0.25 * row * column + 0.2 * random.normal());
  const Tensor soft = ops::singular_value_threshold(matrix(noisy), 0.8);
  const Numbers before = ops::singular_values(matrix(noisy)).to_doubles(), after = ops::singular_values(soft).to_doubles();
  print("  before", before);
  print("  after ", after);
  claims.check(after[0] > 5 && after[1] < 1e-12, "the noise is gone, rank one is left");

  fmt::print("\nThe loss of Eq. 3, (‖A‖∗ − tr A) / N, of four patches:\n");
  const Numbers teacher = {0, 0.7, 1.5, 3}, other = {0.3, 0.7, 1.5, 2.2}, swapped = {0.7, 0, 1.5, 3};
  const auto loss = [&](const Numbers& student) {
    const Numbers graph = affinity(student, teacher);
    return (norm(graph) - trace(graph)) / 4;
  };
  fmt::print("  the student sees what the teacher sees  {:.4f}\n", std::abs(loss(teacher)));
  fmt::print("  it sees two patches otherwise           {:.4f}\n", loss(other));
  fmt::print("  it takes two patches for each other     {:.4f}\n", loss(swapped));
  claims.check(std::abs(loss(teacher)) < 1e-12 && loss(other) > 0.01 && loss(swapped) > 0.1, "0 at agreement, else above");
  return claims.exit_code();
}
