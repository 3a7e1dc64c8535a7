// The nuclear norm of small graphs on the emulator, against matrices made of known singular vectors.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/cuda/kernel_test.h"

#include "ops/cuda/jacobi_kernels.cuh"

namespace sagcl::ops::cuda {
namespace {

using Matrix = std::vector<double>;  // row-major

double inner_product(const Matrix& a, const Matrix& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

/// `columns` orthonormal columns of length n, one after another.
Matrix orthonormal(std::int64_t n, std::int64_t columns, const char* name) {
  const std::vector<float> start = noise(n * columns, 0, name);
  Matrix q(start.begin(), start.end());
  for (std::int64_t c = 0; c < columns; ++c) {
    double* x = q.data() + c * n;
    for (int twice = 0; twice < 2; ++twice)
      for (std::int64_t k = 0; k < c; ++k) {
        const double share = std::inner_product(x, x + n, q.data() + k * n, 0.0);
        for (std::int64_t i = 0; i < n; ++i) x[i] -= share * q[std::size_t(k * n + i)];
      }
    const double length = std::sqrt(std::inner_product(x, x + n, x, 0.0));
    for (std::int64_t i = 0; i < n; ++i) x[i] /= length;
  }
  return q;
}

/// Σ weight[k] u_k v_kᵀ, u of length n, v of length m.
Matrix outer_products(std::int64_t n, std::int64_t m, const Matrix& u, const std::vector<double>& weight, const Matrix& v) {
  Matrix a(static_cast<std::size_t>(n * m));
  for (std::size_t k = 0; k < weight.size(); ++k)
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < m; ++j)
        a[std::size_t(i * m + j)] +=
            weight[k] * u[k * std::size_t(n) + std::size_t(i)] * v[k * std::size_t(m) + std::size_t(j)];
  return a;
}

template <class T>
struct Norm {
  std::vector<T> value, subgradient;
  bool operator==(const Norm&) const = default;
};

/// Of matrices [n, m] one after another.
template <class T>
Norm<T> nuclear_on_emulator(std::int64_t n, std::int64_t m, const std::vector<T>& a, double drop, Order order) {
  const std::size_t graphs = a.size() / std::size_t(n * m);
  const JacobiPlan plan(n, m);
  Matrix work(graphs * std::size_t(plan.work()), std::nan(""));
  Norm<T> norm{std::vector<T>(graphs), std::vector<T>(a.size())};
  launch(std::int64_t(graphs), order,
         [&] { jacobi_kernel(plan, drop, a.data(), work.data(), norm.value.data(), norm.subgradient.data()); });
  return norm;
}

template <class T>
Norm<T> same_in_every_order(std::int64_t n, std::int64_t m, const std::vector<T>& a, double drop = 1e-6) {
  Norm<T> first;
  for (const Order order : orders) {
    const Norm<T> norm = nuclear_on_emulator(n, m, a, drop, order);
    if (first.value.empty()) first = norm;
    EXPECT_EQ(norm, first) << n << " x " << m;
  }
  return first;
}

/// Matrices made of known singular vectors and values.
TEST(EmulatedKernels, NuclearNorm) {
  const struct {
    std::int64_t n, m;
  } cases[] = {{1, 1}, {2, 2}, {5, 5}, {8, 8}, {33, 33}, {64, 64}, {4, 7}, {7, 3}, {64, 1000}, {300, 17}, {1, 70}, {70, 1}};
  for (const auto& [n, m] : cases) {
    SCOPED_TRACE(testing::Message() << n << " x " << m);
    const std::int64_t k = std::min(n, m);
    const Matrix u = orthonormal(n, k, "u"), v = orthonormal(m, k, "v");
    std::vector<double> s(static_cast<std::size_t>(k));
    for (std::size_t i = 0; i < s.size(); ++i) s[i] = 3 * std::pow(0.85, double(i)) * (i % 3 == 2 ? 0.01 : 1);
    const Matrix a = outer_products(n, m, u, s, v),
                 expected = outer_products(n, m, u, std::vector<double>(s.size(), 1.0), v);
    const Norm<double> norm = same_in_every_order(n, m, a, 1e-9);
    const double sum = std::accumulate(s.begin(), s.end(), 0.0);
    EXPECT_NEAR(norm.value[0], sum, 1e-14 * sum);
    EXPECT_NEAR(inner_product(a, norm.subgradient), sum, 1e-13 * sum);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(norm.subgradient[i], expected[i], 1e-10);
    for (std::int64_t x = 0; x < k; ++x)  // its rows, or columns where there are fewer, are orthonormal
      for (std::int64_t y = 0; y <= x; ++y) {
        double product = 0;
        for (std::int64_t i = 0; i < std::max(n, m); ++i)
          product += norm.subgradient[std::size_t(n < m ? x * m + i : i * m + x)] *
                     norm.subgradient[std::size_t(n < m ? y * m + i : i * m + y)];
        ASSERT_NEAR(product, x == y, 1e-13);
      }
  }
}

TEST(EmulatedKernels, NuclearNormDropsSmallSingularValues) {
  const std::int64_t n = 12, m = 9;
  const Matrix u = orthonormal(n, 5, "u"), v = orthonormal(m, 5, "v");
  const Matrix a = outer_products(n, m, u, {2, 1, 0.5, 1e-7, 3e-4}, v);  // and four that are 0
  const auto check = [&](double drop, const std::vector<double>& kept) {
    const Norm<double> norm = same_in_every_order(n, m, a, drop);
    const Matrix expected = outer_products(n, m, u, kept, v);
    EXPECT_NEAR(norm.value[0], 3.5 + 3e-4 + 1e-7, 1e-13);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(norm.subgradient[i], expected[i], 1e-8) << drop;
  };
  check(1e-9, {1, 1, 1, 1, 1});
  check(1e-6, {1, 1, 1, 0, 1});
  check(1e-2, {1, 1, 1, 0, 0});
  check(0.4, {1, 1, 0, 0, 0});
}

/// Affinities of many graphs: a Gram matrix has its trace as norm; of equal rows only one singular value is left.
TEST(EmulatedKernels, NuclearNormOfSeveralGraphsInSinglePrecision) {
  const std::int64_t n = 16, size = n * n;
  std::vector<float> a(static_cast<std::size_t>(3 * size));
  const std::vector<float> x = noise(n * 4, 0, "points");
  double trace = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double square = 0;
      for (std::size_t d = 0; d < 4; ++d)
        square += std::pow(double(x[std::size_t(i) * 4 + d]) - double(x[std::size_t(j) * 4 + d]), 2);
      a[std::size_t(i * n + j)] = float(std::exp(-square / 2));
      a[std::size_t(size + i * n + j)] = 0.25f;
      a[std::size_t(2 * size + i * n + j)] = i == j ? 1.0f : 0.0f;
      trace += i == j;
    }
  const Norm<float> norm = same_in_every_order(n, n, a);
  EXPECT_NEAR(norm.value[0], trace, 1e-6 * trace);
  EXPECT_FLOAT_EQ(norm.value[1], 0.25f * float(n));
  EXPECT_EQ(norm.value[2], float(n));
  for (std::int64_t i = 0; i < size; ++i) {
    ASSERT_NEAR(norm.subgradient[std::size_t(i)], i % (n + 1) == 0, 1e-6);
    ASSERT_NEAR(norm.subgradient[std::size_t(size + i)], 1.0 / double(n), 1e-7);
    ASSERT_EQ(norm.subgradient[std::size_t(2 * size + i)], a[std::size_t(2 * size + i)]);
  }
}

TEST(EmulatedKernels, NuclearNormAtTheEndsOfTheRange) {
  const Norm<double> zero = same_in_every_order(6, 5, Matrix(30));
  EXPECT_EQ(zero.value[0], 0);
  EXPECT_EQ(zero.subgradient, Matrix(30));

  const Matrix u = orthonormal(8, 8, "u"), v = orthonormal(8, 8, "v"), s{4, 3, 2, 1, 0.5, 0.25, 0.125, 0.1},
               expected = outer_products(8, 8, u, Matrix(8, 1.0), v);
  for (const double scale : {1e-300, 1e-30, 1e300}) {
    Matrix a = outer_products(8, 8, u, s, v);
    for (double& x : a) x *= scale;
    const Norm<double> norm = same_in_every_order(8, 8, a);
    EXPECT_NEAR(norm.value[0] / scale, 10.975, 1e-12);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(norm.subgradient[i], expected[i], 1e-12) << scale;
  }

  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {  // in the second of three matrices
    std::vector<float> a = noise(3 * 20, 0, "finite");
    a[33] = bad;
    const Norm<float> norm = nuclear_on_emulator(4, 5, a, 1e-6, Order::shuffled);
    for (std::size_t g = 0; g < 3; ++g) EXPECT_EQ(std::isnan(norm.value[g]), g == 1);
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(std::isnan(norm.subgradient[i]), i / 20 == 1);
  }
}

TEST(JacobiPlan, FitsFewColumnsOnly) {
  EXPECT_TRUE(JacobiPlan::fits(64, 64) && JacobiPlan::fits(64, 1000) && JacobiPlan::fits(1000, 64));
  EXPECT_FALSE(JacobiPlan::fits(65, 65) || JacobiPlan::fits(1, 4097) || JacobiPlan::fits(5000, 64));
  for (std::int64_t k = 1; k <= jacobi_columns; ++k) {
    const JacobiPlan plan(k, 4096);
    EXPECT_LE(plan.pairs * plan.lanes, jacobi_threads) << k;
    EXPECT_GE(2 * plan.pairs, k) << k;
  }
}

}  // namespace
}  // namespace sagcl::ops::cuda
