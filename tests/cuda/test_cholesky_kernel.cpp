// A Cholesky factorisation on the emulator: L Lᵀ gives the matrix back.
#include <cmath>

#include "tests/cuda/kernel_test.h"

#include "ops/cuda/cholesky_kernel.cuh"

namespace sagcl::ops::cuda {
namespace {

/// A Aᵀ + n I of noise, column-major with a longer stride; what lies beyond the matrix is -7.
template <class T>
std::vector<T> positive_definite(int n, int stride) {
  const std::vector<float> a = noise(n * n, 0, "matrix");
  std::vector<T> s(std::size_t(n * stride), T(-7));
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = i == j ? n : 0;
      for (int k = 0; k < n; ++k) sum += double(a[std::size_t(i * n + k)]) * double(a[std::size_t(j * n + k)]);
      s[std::size_t(j * stride + i)] = T(sum);
    }
  return s;
}

template <class T>
void check(int n, double tolerance) {
  const int stride = n + 3;
  const std::vector<T> s = positive_definite<T>(n, stride);
  std::vector<T> first;
  for (const Order order : orders) {
    std::vector<T> l = s;
    launch(1, order, [&] { cholesky_kernel(n, l.data(), stride); });
    if (first.empty()) first = l;
    EXPECT_EQ(l, first) << n;
  }
  const auto at = [&](int row, int column) { return double(first[std::size_t(column * stride + row)]); };
  for (int j = 0; j < n; ++j) {
    for (int i = j; i < n; ++i) {
      double sum = 0;
      for (int k = 0; k <= j; ++k) sum += at(i, k) * at(j, k);
      ASSERT_NEAR(sum, double(s[std::size_t(j * stride + i)]), tolerance * n) << n << ": " << i << ", " << j;
    }
    for (int i = 0; i < j; ++i) ASSERT_EQ(at(i, j), double(s[std::size_t(j * stride + i)])) << "the upper triangle stays";
    for (int i = n; i < stride; ++i) ASSERT_EQ(at(i, j), -7);
  }
}

TEST(EmulatedKernels, Cholesky) {
  for (const int n : {1, 2, 18, 33, cholesky_columns}) {
    check<double>(n, 1e-14);
    check<float>(n, 1e-5);
  }
}

TEST(EmulatedKernels, CholeskyOfNoPositiveMatrixIsNaN) {
  for (const double pivot : {0.0, -1.0, std::nan("")}) {
    std::vector<double> s = positive_definite<double>(6, 6);
    s[2 * 6 + 2] = pivot;
    launch(1, Order::shuffled, [&] { cholesky_kernel(6, s.data(), 6); });
    for (int column = 0; column < 6; ++column)
      for (int row = column; row < 6; ++row)
        EXPECT_EQ(std::isnan(s[std::size_t(column * 6 + row)]), row >= 2 && (column >= 2)) << row << ", " << column;
  }
}

}  // namespace
}  // namespace sagcl::ops::cuda
