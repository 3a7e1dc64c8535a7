#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "engine/parallel.h"
#include "ops/arithmetic.h"
#include "ops/distance.h"
#include "ops/layout.h"
#include "ops/nuclear_norm.h"
#include "ops/reduce.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;
using ops::Metric;

TEST(PairwiseDistance, ByHand) {  // points (0,0) and (1,2) against (1,1) and (3,-2)
  const Variable a(Tensor::of<float>({1, 2, 2}, {0, 0, 1, 2})), b(Tensor::of<float>({1, 2, 2}, {1, 1, 3, -2}));
  EXPECT_EQ(ops::pairwise_distance(a, b, Metric::squared_l2).value().to_vector<float>(), (std::vector<float>{2, 13, 1, 20}));
  EXPECT_EQ(ops::pairwise_distance(a, b, Metric::l1).value().to_vector<float>(), (std::vector<float>{2, 5, 1, 6}));
}

TEST(PairwiseDistance, GradientOfAbsoluteValueAtZeroIsZero) {
  Variable a = Variable::parameter(Tensor::of<double>({1, 1, 3}, {1, 2, 3}));
  const Variable b(Tensor::of<double>({1, 1, 3}, {1, 5, 0}));
  Tape tape;
  tape.backward(ops::reshape(ops::pairwise_distance(a, b, Metric::l1), {}));
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{0, -1, 1}));
}

/// Σ over k in double, straight from the definition.
Tensor by_definition(const Tensor& a, const Tensor& b, Metric metric) {
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  const std::size_t graphs = std::size_t(a.shape()[0]), n = std::size_t(a.shape()[1]), m = std::size_t(b.shape()[1]),
                    length = std::size_t(a.shape()[2]);
  std::vector<double> d;
  for (std::size_t g = 0; g < graphs; ++g)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < m; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < length; ++k) {
          const double difference = x[(g * n + i) * length + k] - y[(g * m + j) * length + k];
          sum += metric == Metric::l1 ? std::abs(difference) : difference * difference;
        }
        d.push_back(sum);
      }
  return Tensor::of({a.shape()[0], a.shape()[1], b.shape()[1]}, d);
}

// All shapes around the block sizes of the fast kernels, and vectors as long as a patch of a volume.
TEST(PairwiseDistance, OfNoPoints) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64})
    for (const auto& [n, m] : {std::pair(4, 0), {0, 4}}) {
      Variable a = Variable::parameter(Tensor::full({1, n, 5}, 1, dtype)),
               b = Variable::parameter(Tensor::full({1, m, 5}, 1, dtype));
      Tape tape;
      const Variable d = ops::pairwise_distance(a, b, Metric::squared_l2);
      tape.backward(d, Tensor::full(d.shape(), 1, dtype));
      EXPECT_EQ(a.grad().to_doubles(), std::vector<double>(std::size_t(5 * n), 0.0));
      EXPECT_EQ(b.grad().to_doubles(), std::vector<double>(std::size_t(5 * m), 0.0));
    }
}

TEST(PairwiseDistance, EveryShapeAgreesWithTheDefinition) {
  for (const Metric metric : {Metric::squared_l2, Metric::l1})
    for (const auto& [n, m, length] : std::vector<std::array<std::int64_t, 3>>{{1, 1, 1},
                                                                               {1, 7, 3},
                                                                               {5, 3, 16},
                                                                               {4, 4, 17},
                                                                               {9, 6, 31},
                                                                               {8, 8, 64},
                                                                               {6, 5, 1023},
                                                                               {3, 4, 1024},
                                                                               {2, 3, 5001},
                                                                               {2, 2, 40000}}) {
      SCOPED_TRACE(fmt::format("{} {} {}", n, m, length));
      const Tensor a = random_tensor({2, n, length}, 1), b = random_tensor({2, m, length}, 2),
                   expected = by_definition(a, b, metric);
      EXPECT_TRUE(close(ops::pairwise_distance(Variable(a), Variable(b), metric).value(), expected, 1e-13));
      const Tensor narrow = ops::pairwise_distance(Variable(a.to(Dtype::f32)), Variable(b.to(Dtype::f32)), metric).value();
      EXPECT_TRUE(close(narrow, expected, 2e-6));
    }
}

// Close points far from the origin, where |a|² + |b|² - 2ab has no correct digit in single precision.
TEST(PairwiseDistance, NearlyEqualVectorsKeepTheirDigits) {
  const Tensor a = random_tensor({1, 8, 64}, 3, Dtype::f32, 0.001, 100);
  const Tensor b = random_tensor({1, 8, 64}, 4, Dtype::f32, 0.001, 100);
  const Tensor expected = by_definition(a, b, Metric::squared_l2);
  EXPECT_TRUE(close(ops::pairwise_distance(Variable(a), Variable(b), Metric::squared_l2).value(), expected, 1e-6));
}

TEST(PairwiseDistance, GradientsInSinglePrecisionAgree) {
  for (const Metric metric : {Metric::squared_l2, Metric::l1})
    for (const auto& [n, m, length] : std::vector<std::array<std::int64_t, 3>>{{5, 3, 17}, {9, 6, 64}, {3, 4, 3000}}) {
      std::vector<Tensor> gradients[2];
      for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
        Variable a = Variable::parameter(random_tensor({2, n, length}, 1, dtype)),
                 b = Variable::parameter(random_tensor({2, m, length}, 2, dtype));
        Tape tape;
        const Variable d = ops::pairwise_distance(a, b, metric);
        tape.backward(d, random_tensor({2, n, m}, 3, dtype));
        gradients[dtype == Dtype::f32] = {a.grad(), b.grad()};
      }
      EXPECT_TRUE(close(gradients[1][0], gradients[0][0], 2e-6));
      EXPECT_TRUE(close(gradients[1][1], gradients[0][1], 2e-6));
    }
}

TEST(PairwiseDistance, BitsDoNotDependOnThreads) {
  const int before = engine::threads();
  for (const auto& [n, m, length] : std::vector<std::array<std::int64_t, 3>>{{60, 50, 65}, {7, 5, 30000}})
    for (const Metric metric : {Metric::squared_l2, Metric::l1}) {
      Tensor d[3], da[3], db[3];
      int run = 0;
      for (int threads : {1, 2, 8}) {
        engine::set_threads(threads);
        Variable a = Variable::parameter(random_tensor({3, n, length}, 1, Dtype::f32)),
                 b = Variable::parameter(random_tensor({3, m, length}, 2, Dtype::f32));
        Tape tape;
        const Variable y = ops::pairwise_distance(a, b, metric);
        d[run] = y.value();
        tape.backward(y, random_tensor({3, n, m}, 3, Dtype::f32));
        da[run] = a.grad(), db[run++] = b.grad();
      }
      for (int k : {1, 2}) {
        EXPECT_TRUE(identical(d[k], d[0]));
        EXPECT_TRUE(identical(da[k], da[0]));
        EXPECT_TRUE(identical(db[k], db[0]));
      }
    }
  engine::set_threads(before);
}

TEST(GaussianKernel, ByHand) {
  const Variable d(Tensor::of<double>({2, 1, 2}, {0, 2, 0, 2}));
  const Tensor k = ops::gaussian_kernel(d, Tensor::of<double>({2}, {1, 0.25})).value();
  EXPECT_TRUE(close(k, Tensor::of<double>({2, 1, 2}, {1, std::exp(-1.0), 1, std::exp(-4.0)}), 1e-15));
}

TEST(GaussianKernel, GoldenAffinities) {
  const Golden golden("agcl_affinity");
  int checked = 0;
  for (const std::string& name : golden.cases()) {
    if (!golden.has(name + "/teacher_vectors")) continue;
    ++checked;
    const bool l1 = golden.has(name + "/attr.kernel") && golden.number(name + "/attr.kernel") == 1;
    const Metric metric = l1 ? Metric::l1 : Metric::squared_l2;
    for (const auto& [dtype, tolerance] : {std::pair(Dtype::f64, 1e-13), std::pair(Dtype::f32, 1e-5)}) {
      SCOPED_TRACE(name);
      const Tensor vt = golden.get(name + "/teacher_vectors", dtype), vs = golden.get(name + "/student_vectors", dtype);
      const Tensor sigma2 = golden.has(name + "/sigma2")
                                ? golden.get(name + "/sigma2", dtype)
                                : Tensor::full({vt.shape()[0]}, golden.number(name + "/attr.sigma2"), dtype);
      const Variable affinity = ops::gaussian_kernel(ops::pairwise_distance(Variable(vt), Variable(vs), metric), sigma2);
      EXPECT_TRUE(close(affinity.value(), golden.get(name + "/A"), tolerance));
      if (!golden.has(name + "/trace")) continue;
      EXPECT_TRUE(close(ops::trace(affinity).value(), golden.get(name + "/trace"), tolerance));
      EXPECT_TRUE(close(ops::singular_values(affinity.value()), golden.get(name + "/singular_values"), tolerance));
    }
  }
  EXPECT_GE(checked, 10);
}

// The example worked out in the notes on Eq. 3: three patches, two classes, loss = ‖A‖_* - tr A.
TEST(AffinityLoss, PrintedExample) {
  const Golden golden("agcl_affinity");
  for (const std::string name : {"printed_example_sigma1", "printed_example_sigma0.25"})
    for (const auto& [dtype, loss_tolerance, tolerance] :
         {std::tuple(Dtype::f64, 1e-13, 1e-11), std::tuple(Dtype::f32, 1e-6, 2e-4)}) {
      SCOPED_TRACE(name);
      Variable vs = Variable::parameter(golden.get(name + "/student_vectors", dtype));
      Tape tape;
      const Tensor sigma2 = Tensor::full({1}, golden.number(name + "/attr.sigma2"), dtype);
      const Variable affinity = ops::gaussian_kernel(
          ops::pairwise_distance(Variable(golden.get(name + "/teacher_vectors", dtype)), vs, Metric::squared_l2), sigma2);
      const Variable loss = ops::sum(ops::subtract(ops::nuclear_norm(affinity), ops::trace(affinity)));
      EXPECT_NEAR(loss.value().item(), golden.number(name + "/loss_times_n"), loss_tolerance);
      tape.backward(loss);
      EXPECT_TRUE(close(vs.grad(), golden.get(name + "/dstudent_vectors"), tolerance));
    }
}

TEST(Distance, Errors) {
  const Variable a(Tensor::zeros({1, 2, 3})), b(Tensor::zeros({1, 2, 4})), d(Tensor::zeros({2, 3, 3}));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::pairwise_distance(a, b, Metric::l1); }, "got [1, 2, 3] and [1, 2, 4]"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::gaussian_kernel(d, Tensor::full({3}, 1)); }, "sigma2 [G] expected"));
  EXPECT_TRUE(throws<engine::UsageError>(
      [&] {
        ops::gaussian_kernel(d, Tensor::of<float>({2}, {1, 0}));
      },
      "sigma2 must be positive, got 0"));
}

}  // namespace
}  // namespace sagcl::tests
