#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "engine/parallel.h"
#include "ops/arithmetic.h"
#include "ops/distance.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/nuclear_norm.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;
using engine::Shape;

struct Norm {
  Tensor value, gradient;
};

Norm nuclear(const Tensor& a, const ops::NuclearNormSpec& spec = {}) {
  Variable v = Variable::parameter(a);
  Tape tape;
  const Variable value = ops::nuclear_norm(v, spec);
  tape.backward(value, Tensor::full(value.shape(), 1, a.dtype()));
  return {value.value(), v.grad()};
}

Tensor product(const Tensor& a, const Tensor& b, const ops::MatmulSpec& spec = {}) {
  return ops::matmul(Variable(a), Variable(b), spec).value();
}

/// The orthogonal factor of a random matrix: n x n with orthonormal columns.
Tensor orthogonal(std::int64_t n, std::uint64_t seed) { return nuclear(random_tensor({1, n, n}, seed)).gradient; }

/// A matrix with these singular values and random singular vectors.
Tensor with_singular_values(const std::vector<double>& s, std::uint64_t seed) {
  const std::int64_t n = std::int64_t(s.size());
  std::vector<double> diagonal(std::size_t(n * n));
  for (std::int64_t i = 0; i < n; ++i) diagonal[std::size_t(i * n + i)] = s[std::size_t(i)];
  return product(product(orthogonal(n, seed), Tensor::of({1, n, n}, diagonal)), orthogonal(n, seed + 1));
}

TEST(NuclearNorm, DiagonalMatrixByHand) {  // singular values 3 and 2; U Vᵀ carries the signs
  const Norm d = nuclear(Tensor::of<double>({1, 2, 2}, {3, 0, 0, -2}));
  EXPECT_NEAR(d.value.item(), 5, 1e-15);
  EXPECT_TRUE(close(d.gradient, Tensor::of<double>({1, 2, 2}, {1, 0, 0, -1}), 1e-15));
}

TEST(NuclearNorm, RankOneByHand) {  // u vᵀ with |u| = 5, |v| = 13: one singular value 65, gradient û v̂ᵀ
  const Norm d = nuclear(Tensor::of<double>({1, 2, 2}, {3 * 5, 3 * 12, 4 * 5, 4 * 12}));
  EXPECT_NEAR(d.value.item(), 65, 1e-13);
  EXPECT_TRUE(close(d.gradient, Tensor::of<double>({1, 2, 2}, {15 / 65.0, 36 / 65.0, 20 / 65.0, 48 / 65.0}), 1e-14));
}

TEST(NuclearNorm, OfZeroIsZeroWithGradientZero) {
  for (const bool polar : {false, true}) {
    const Norm d = nuclear(Tensor::zeros({1, 3, 3}), {.polar = polar});
    EXPECT_EQ(d.value.item(), 0);
    EXPECT_TRUE(identical(d.gradient, Tensor::zeros({1, 3, 3})));
  }
}

TEST(NuclearNorm, OfAPositiveSemidefiniteMatrixIsItsTrace) {
  const Tensor x = random_tensor({2, 6, 4}, 1), gram = product(x, x, {.transpose_b = true});
  EXPECT_TRUE(close(nuclear(gram).value, ops::trace(Variable(gram)).value(), 1e-13));
}

TEST(NuclearNorm, SmallSingularValuesStayInTheValueButLeaveTheGradient) {
  const Tensor a = with_singular_values({2, 1, 0.5, 1e-9}, 5);
  const Norm d = nuclear(a);
  EXPECT_NEAR(d.value.item(), 3.5 + 1e-9, 1e-14);
  EXPECT_NEAR(ops::singular_values(d.gradient).to_doubles()[3], 0, 1e-14);  // three directions kept
  EXPECT_NEAR(ops::singular_values(nuclear(a, {.drop = 1e-12}).gradient).to_doubles()[3], 1, 1e-12);
}

TEST(NuclearNorm, PolarAgreesWithTheDecomposition) {
  for (const auto& [dtype, value_tolerance, gradient_tolerance] :
       {std::tuple(Dtype::f64, 1e-12, 1e-10), std::tuple(Dtype::f32, 2e-6, 2e-4)})
    for (const Shape& shape : {Shape{3, 8, 8}, Shape{1, 64, 64}, Shape{2, 9, 5}, Shape{2, 5, 9}, Shape{1, 1, 1}}) {
      SCOPED_TRACE(to_string(shape));
      const Tensor a = random_tensor(shape, 7, dtype);
      const Norm by_svd = nuclear(a), by_polar = nuclear(a, {.polar = true});
      EXPECT_TRUE(close(by_polar.value, by_svd.value, value_tolerance));
      EXPECT_TRUE(close(by_polar.gradient, by_svd.gradient, gradient_tolerance));
    }
}

// Where singular values vanish the two differ, and both are subgradients: |G|₂ <= 1 and <G, A> = ‖A‖_*.
TEST(NuclearNorm, PolarOfRankDeficientMatricesIsASubgradient) {
  for (const Dtype dtype : {Dtype::f64, Dtype::f32})
    for (const std::vector<double>& s :
         {std::vector<double>{3, 2, 1, 0, 0, 0}, {1, 1e-9, 1e-9, 1e-9}, {5, 4, 3, 1e-4}, {1, 1e-3, 1e-6, 1e-12}}) {
      const Tensor a = with_singular_values(s, 11).to(dtype);
      const Norm d = nuclear(a, {.polar = true});
      double sum = 0;
      for (double v : s) sum += v;
      EXPECT_NEAR(d.value.item() / sum, 1, dtype == Dtype::f64 ? 1e-5 : 1e-4);
      EXPECT_LE(ops::singular_values(d.gradient).to_doubles()[0], 1 + 1e-5);
    }
}

TEST(NuclearNorm, PolarOfAnIllScaledMatrix) {  // the scale of A must not matter
  for (const double factor : {1e-20, 1.0, 1e15}) {
    const Tensor a = random_tensor({1, 6, 6}, 3), scaled = ops::scale(Variable(a), factor).value();
    EXPECT_TRUE(close(nuclear(scaled, {.polar = true}).gradient, nuclear(a).gradient, 1e-10)) << factor;
    EXPECT_TRUE(close(nuclear(scaled.to(Dtype::f32), {.polar = true}).gradient, nuclear(a).gradient, 1e-4)) << factor;
  }
}

TEST(NuclearNorm, LargeMatricesInSinglePrecision) {  // beyond 256 the decomposition runs in float
  const Tensor a = random_tensor({1, 270, 260}, 9);
  const Norm wide = nuclear(a), narrow = nuclear(a.to(Dtype::f32));
  EXPECT_TRUE(close(narrow.value, wide.value, 1e-5));
  EXPECT_TRUE(close(narrow.gradient, wide.gradient, 1e-3));
}

TEST(NuclearNorm, BitsDoNotDependOnThreads) {
  const int before = engine::threads();
  for (const bool polar : {false, true}) {
    const Tensor a = random_tensor({5, 20, 20}, 4, Dtype::f32);
    engine::set_threads(1);
    const Norm one = nuclear(a, {.polar = polar});
    for (int threads : {2, 8}) {
      engine::set_threads(threads);
      const Norm more = nuclear(a, {.polar = polar});
      EXPECT_TRUE(identical(more.value, one.value));
      EXPECT_TRUE(identical(more.gradient, one.gradient));
    }
  }
  engine::set_threads(before);
}

TEST(NuclearNorm, RefusesNanAndInfinityByName) {
  for (const double bad : {double(NAN), double(INFINITY)})
    for (const bool polar : {false, true}) {
      std::vector<float> values(18, 0.5f);
      values[13] = float(bad);
      const Tensor a = Tensor::of({2, 3, 3}, values);
      EXPECT_TRUE(throws<engine::BackendError>([&] { nuclear(a, {.polar = polar}); },
                                               "nuclear_norm: matrix 1 of 2 (3 x 3) holds NaN or infinity"));
      EXPECT_TRUE(throws<engine::BackendError>([&] { ops::singular_values(a); }, "svd: matrix 1 of 2"));
    }
}

TEST(Trace, ByHand) {
  Variable a = Variable::parameter(Tensor::of<double>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}));
  Tape tape;
  const Variable t = ops::trace(a);
  EXPECT_EQ(t.value().to_vector<double>(), (std::vector<double>{5, 13}));
  tape.backward(t, Tensor::of<double>({2}, {1, 10}));
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{1, 0, 0, 1, 10, 0, 0, 10}));
}

TEST(SingularValueThreshold, Golden) {
  const Golden golden("agcl_svt");
  for (const std::string& name : golden.cases())
    for (const auto& [dtype, tolerance] : {std::pair(Dtype::f64, 1e-13), std::pair(Dtype::f32, 1e-5)}) {
      SCOPED_TRACE(name);
      const Tensor stored = golden.get(name + "/A", dtype), a = stored.reshape({1, stored.shape()[0], stored.shape()[1]});
      EXPECT_TRUE(close(ops::singular_values(a), golden.get(name + "/singular_values"), tolerance));
      const std::vector<double> taus = golden.get(name + "/tau").to_doubles();
      const Variable expected(golden.get(name + "/y"));
      for (std::size_t t = 0; t < taus.size(); ++t)
        EXPECT_TRUE(
            close(ops::singular_value_threshold(a, taus[t]), ops::slice(expected, 0, std::int64_t(t), 1).value(), tolerance))
            << taus[t];
    }
}

/// Class probabilities of the patches of one case as vectors [graphs, patches, numbers], divided by voxels^power.
Variable patch_vectors(const Golden& golden, const std::string& name, const Variable& logits) {
  const std::vector<std::int64_t> patch = golden.integers(name + "/attr.patch");
  const Shape s = logits.shape();
  const engine::Extents grid{{s[1] / patch[0], s[2] / patch[1], s[3] / patch[2]}};
  const std::int64_t patches = grid.volume(), voxels = patch[0] * patch[1] * patch[2], classes = s.back();
  const Variable cut = ops::patches(ops::softmax(logits), grid);
  const bool joint = golden.number(name + "/attr.joint") != 0, mean = golden.number(name + "/attr.patch_mean") != 0;
  const std::int64_t graphs = joint ? 1 : s[0], nodes = joint ? s[0] * patches : patches;
  if (mean)
    return ops::reshape(ops::mean_axis(ops::reshape(cut, {s[0] * patches, voxels, classes}), 1), {graphs, nodes, classes});
  return ops::scale(ops::reshape(cut, {graphs, nodes, voxels * classes}),
                    std::pow(double(voxels), -golden.number(name + "/attr.voxel_power")));
}

// Eq. 3 with its gradient down to the logits: cross-affinity, trace, nuclear norm with dropped singular values.
TEST(AffinityLoss, GoldenGradients) {
  const Golden golden("agcl_loss");
  for (const std::string& name : golden.cases())
    for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name + " " + to_string(dtype));
      Variable logits = Variable::parameter(golden.get(name + "/student_logits", dtype));
      const Variable teacher = patch_vectors(golden, name, Variable(golden.get(name + "/teacher_logits", dtype)));
      Tape tape;
      const ops::Metric metric = golden.number(name + "/attr.kernel") == 1 ? ops::Metric::l1 : ops::Metric::squared_l2;
      const Variable affinity = ops::gaussian_kernel(
          ops::pairwise_distance(teacher, patch_vectors(golden, name, logits), metric), golden.get(name + "/sigma2", dtype));
      const Variable norm = ops::nuclear_norm(affinity, {.drop = golden.number(name + "/attr.drop")});
      const double gamma = golden.number(name + "/attr.gamma");
      const double sign = golden.number(name + "/attr.printed_sign") != 0 ? 1 : -1;
      const Variable both = ops::add(ops::trace(affinity), ops::scale(norm, gamma));
      const Variable loss = ops::mean(ops::scale(both, sign / double(affinity.shape()[1])));
      const bool wide = dtype == Dtype::f64;
      EXPECT_TRUE(close(norm.value(), golden.get(name + "/nuclear"), wide ? 1e-11 : 1e-5));
      EXPECT_NEAR(loss.value().item(), golden.number(name + "/loss"), wide ? 1e-13 : 5e-6);
      tape.backward(loss);
      const Tensor expected = golden.get(name + "/dstudent_logits");
      double largest = 0;
      for (double g : expected.to_doubles()) largest = std::max(largest, std::abs(g));
      if (largest > 1e-9) { EXPECT_TRUE(close(logits.grad(), expected, wide ? 1e-11 : 2e-4)); }
    }
}

TEST(NuclearNorm, Errors) {
  const Variable a(Tensor::zeros({2, 3})), wide(Tensor::zeros({1, 2, 3}));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::nuclear_norm(a); }, "nuclear_norm: A [G, N, M]"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::trace(wide); }, "trace: square matrices expected, got [1, 2, 3]"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::singular_value_threshold(wide.value(), -1); }, "tau"));
}

}  // namespace
}  // namespace sagcl::tests
