// The GPU's own kernels on the emulator, against plain loops.
#include "tests/cuda/emulator.h"

#include <gtest/gtest.h>

#include "engine/random.h"
#include "ops/cuda/jacobi_kernels.cuh"
#include "ops/cuda/loops.cuh"
#include "ops/cuda/norm_kernels.cuh"
#include "ops/cuda/slots.cuh"

namespace sagcl::ops::cuda {
namespace {

using emulator::Order;

constexpr Order orders[] = {Order::forward, Order::backward, Order::shuffled};

template <class F>
void launch(std::int64_t blocks, Order order, F kernel) {
  emulator::Block::current().launch(unsigned(blocks), block_threads, order, kernel);
}

std::vector<float> noise(std::int64_t n, double offset, const char* name) {
  engine::Generator random(2, name);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = float(offset + random.normal());
  return values;
}

TEST(Divisor, DividesLikeTheProcessor) {
  for (std::uint32_t d : {1u, 2u, 3u, 5u, 7u, 16u, 48u, 255u, 641u, 65535u, 65537u, 1000003u, 2147483647u}) {
    const Divisor divisor(d);
    for (std::uint32_t n : {0u, 1u, 2u, 15u, 16u, 47u, 48u, 641u, 65536u, 99999999u, 2147483646u, 2147483647u})
      EXPECT_EQ(divisor.divide(n), n / d) << n << " / " << d;
  }
}

struct Squares {
  std::int64_t reduced, inner;
  const float* x;
  std::array<float, 2> operator()(std::int64_t o, std::int64_t r, std::int64_t i) const {
    const float v = x[(o * reduced + r) * inner + i];
    return {{v, v * v}};
  }
};

/// Both stages as CudaLaunch runs them.
std::vector<double> sums_on_emulator(std::int64_t outer, std::int64_t reduced, std::int64_t inner,
                                     const std::vector<float>& x, Order order) {
  std::vector<double> out(static_cast<std::size_t>(2 * outer * inner));
  const SumPlan plan(outer, reduced, inner);
  std::vector<double> partial(static_cast<std::size_t>(2 * outer * plan.chunks * inner), std::nan(""));
  launch(plan.grid(), order, [&] { sums_kernel<2, float>(plan, Squares{reduced, inner, x.data()}, partial.data()); });
  SumPlan join(outer, plan.chunks, inner);
  join.chunks = 1, join.rows = plan.chunks;
  launch(join.grid(), order, [&] {
    sums_kernel<2, double>(join, PartialSum<2>{outer, plan.chunks, inner, partial.data()}, out.data());
  });
  return out;
}

TEST(EmulatedKernels, ColumnSums) {
  const struct {
    std::int64_t outer, reduced, inner;
  } cases[] = {{1, 5000, 1}, {2, 700, 3}, {3, 333, 16}, {1, 64, 300}, {5, 17, 256}, {1, 1, 1}};
  for (const auto& c : cases) {
    const std::vector<float> x = noise(c.outer * c.reduced * c.inner, 0.5, "sums");
    const std::vector<double> first = sums_on_emulator(c.outer, c.reduced, c.inner, x, Order::forward);
    for (const Order order : orders) EXPECT_EQ(sums_on_emulator(c.outer, c.reduced, c.inner, x, order), first);
    for (std::int64_t o = 0; o < c.outer; ++o)
      for (std::int64_t i = 0; i < c.inner; ++i) {
        double sum = 0, squares = 0;
        for (std::int64_t r = 0; r < c.reduced; ++r) {
          const double v = double(x[std::size_t((o * c.reduced + r) * c.inner + i)]);
          sum += v, squares += v * v;
        }
        EXPECT_NEAR(first[std::size_t(o * c.inner + i)], sum, 1e-5 * double(c.reduced));
        EXPECT_NEAR(first[std::size_t((c.outer + o) * c.inner + i)], squares, 1e-6 * squares + 1e-6);
      }
  }
}

/// Mean and variance of sets of `channels` channels, x far from 0 to show cancellation if there were any.
TEST(EmulatedKernels, NormStatistics) {
  const struct {
    std::int64_t outer, rows, C, channels;
  } cases[] = {{1, 3001, 16, 1}, {3, 257, 8, 1}, {2, 100, 12, 3}, {1, 9, 256, 1}, {2, 5, 4, 4}};
  for (const auto& c : cases) {
    const std::vector<float> x = noise(c.outer * c.rows * c.C, 100, "norm");
    const NormPlan plan(c.outer, c.rows, c.C);
    const std::int64_t groups = c.C / c.channels;
    for (const Order order : orders) {
      std::vector<Moments> partial(static_cast<std::size_t>(plan.outer * plan.chunks * plan.C));
      std::vector<float> mean(static_cast<std::size_t>(c.outer * groups)), variance(mean.size());
      launch(plan.outer * plan.chunks, order,
             [&] { moments_kernel(plan, reinterpret_cast<const float4*>(x.data()), partial.data()); });
      launch(c.outer * groups, order,
             [&] { join_moments_kernel(plan.chunks, c.C, c.channels, partial.data(), mean.data(), variance.data()); });
      for (std::int64_t o = 0; o < c.outer; ++o)
        for (std::int64_t g = 0; g < groups; ++g) {
          double sum = 0, squares = 0;
          const double n = double(c.rows * c.channels);
          const auto each = [&](auto f) {
            for (std::int64_t r = 0; r < c.rows; ++r)
              for (std::int64_t k = 0; k < c.channels; ++k)
                f(double(x[std::size_t((o * c.rows + r) * c.C + g * c.channels + k)]));
          };
          each([&](double v) { sum += v; });
          each([&](double v) { squares += (v - sum / n) * (v - sum / n); });
          EXPECT_NEAR(mean[std::size_t(o * groups + g)], sum / n, 2e-5);
          EXPECT_NEAR(variance[std::size_t(o * groups + g)], squares / n, 5e-5 * squares / n);  // means are kept in float
        }
    }
  }
}

/// y, the sums and dx of one batch norm with LeakyReLU.
TEST(EmulatedKernels, NormApplyAndBackward) {
  const std::int64_t rows = 515, C = 20;
  const float slope = 0.1f;
  const std::vector<float> x = noise(rows * C, 1, "x"), dy = noise(rows * C, 0, "dy");
  std::vector<float> cells = noise(6 * C, 0, "table");
  for (std::int64_t c = 0; c < C; ++c) cells[std::size_t(C + c)] = std::abs(cells[std::size_t(C + c)]) + 0.5f;
  const NormTable table{cells.data(), C};
  const NormPlan plan(1, rows, C);
  for (const Order order : orders) {
    std::vector<float> y(x.size()), dx(x.size());
    std::vector<double> partial(static_cast<std::size_t>(2 * plan.chunks * C));
    const auto *xs = reinterpret_cast<const float4*>(x.data()), *ds = reinterpret_cast<const float4*>(dy.data());
    launch(plan.chunks, order, [&] { norm_apply_kernel(plan, table, slope, xs, reinterpret_cast<float4*>(y.data())); });
    launch(plan.chunks, order, [&] { norm_sums_kernel(plan, table, slope, xs, ds, partial.data()); });
    launch(plan.chunks, order, [&] { norm_input_kernel(plan, table, slope, xs, ds, reinterpret_cast<float4*>(dx.data())); });
    for (std::int64_t c = 0; c < C; ++c) {
      const double mean = table.mean()[c], inverse = table.inverse()[c], gamma = table.gamma()[c], beta = table.beta()[c];
      double sum = 0, sum_x = 0, ours = 0, ours_x = 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::size_t i = std::size_t(r * C + c);
        const double normal = (double(x[i]) - mean) * inverse, v = normal * gamma + beta,
                     g = (v > 0 ? 1 : double(slope)) * double(dy[i]);
        if (std::abs(v) < 1e-5) continue;  // on which side of 0 it falls is a matter of rounding
        EXPECT_NEAR(y[i], v > 0 ? v : double(slope) * v, 1e-5);
        EXPECT_NEAR(dx[i], inverse * (gamma * g - table.pull()[c] - normal * table.pull_x()[c]), 1e-4);
        sum += g, sum_x += g * normal;
      }
      for (std::int64_t k = 0; k < plan.chunks; ++k)
        ours += partial[std::size_t(k * C + c)], ours_x += partial[std::size_t((plan.chunks + k) * C + c)];
      EXPECT_NEAR(ours, sum, 1e-3);
      EXPECT_NEAR(ours_x, sum_x, 1e-3);
    }
  }
}

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
        a[std::size_t(i * m + j)] += weight[k] * u[k * std::size_t(n) + std::size_t(i)] * v[k * std::size_t(m) + std::size_t(j)];
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
  const Norm<T> first = nuclear_on_emulator(n, m, a, drop, Order::forward);
  for (const Order order : {Order::backward, Order::shuffled})
    EXPECT_EQ(nuclear_on_emulator(n, m, a, drop, order), first) << n << " x " << m;
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
    const Matrix a = outer_products(n, m, u, s, v), expected = outer_products(n, m, u, std::vector<double>(s.size(), 1.0), v);
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
  EXPECT_FALSE(JacobiPlan::fits(65, 65) || JacobiPlan::fits(1, std::int64_t(1) << 30));
  for (std::int64_t k = 1; k <= jacobi_columns; ++k) {
    const JacobiPlan plan(k, 4096);
    EXPECT_LE(plan.pairs * plan.lanes, jacobi_threads) << k;
    EXPECT_GE(2 * plan.pairs, k) << k;
  }
}

struct AddSlots {
  float factor;
  void operator()(void* const* at, std::int64_t i) const {
    static_cast<float*>(at[0])[i] += factor * static_cast<const float*>(at[1])[i];
  }
};

/// Every element of every tensor once, whatever their sizes.
TEST(EmulatedKernels, ManyTensorsInOneLaunch) {
  const std::int64_t sizes[] = {1, 1024, 1025, 3, 5000, 16, 2048};
  std::vector<std::vector<float>> sums, terms;
  SlotTable<2> table;
  int blocks = 0;
  for (const std::int64_t n : sizes) {
    sums.push_back(noise(n, 0, "sum"));
    terms.push_back(noise(n, 0, "term"));
    table.at[table.slots][0] = sums.back().data(), table.at[table.slots][1] = terms.back().data();
    table.size[table.slots] = int(n);
    table.first_block[table.slots] = blocks;
    blocks += int((n + block_elements - 1) / block_elements);
    table.first_block[++table.slots] = blocks;
  }
  const std::vector<std::vector<float>> before = sums;
  launch(blocks, Order::shuffled, [&] { slots_kernel<2>(table, AddSlots{2}); });
  for (std::size_t s = 0; s < sums.size(); ++s)
    for (std::size_t i = 0; i < sums[s].size(); ++i) ASSERT_EQ(sums[s][i], before[s][i] + 2 * terms[s][i]) << s << " " << i;
}

/// A block sum whose last barrier is missing, planted: the emulator must see it.
void racy_sum(const float* x, float* out, bool with_barrier) {
  __shared__ float shared[block_threads];
  const int t = int(threadIdx.x);
  shared[t] = x[t];
  __syncthreads();
  for (int step = block_threads / 2; step > 0; step /= 2) {
    if (t < step) shared[t] += shared[t + step];
    if (with_barrier) __syncthreads();
  }
  if (t == 0) *out = shared[0];
}

TEST(Emulator, FindsAMissingBarrier) {
  const std::vector<float> x(block_threads, 1.0f);
  for (const bool with_barrier : {true, false}) {
    bool all_right = true;
    for (const Order order : orders) {
      float sum = 0;
      launch(1, order, [&] { racy_sum(x.data(), &sum, with_barrier); });
      all_right = all_right && sum == float(block_threads);
    }
    EXPECT_EQ(all_right, with_barrier);
  }
}

TEST(Emulator, RefusesABarrierThatSomeThreadsMiss) {
  EXPECT_THROW(launch(1, Order::forward, [] { if (threadIdx.x < 10) __syncthreads(); }), std::logic_error);
}

}  // namespace
}  // namespace sagcl::ops::cuda
