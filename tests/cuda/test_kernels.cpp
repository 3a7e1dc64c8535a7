// The GPU's own kernels on the emulator, against plain loops.
#include "tests/cuda/emulator.h"

#include <gtest/gtest.h>

#include "engine/random.h"
#include "ops/cuda/class_kernels.cuh"
#include "ops/cuda/jacobi_kernels.cuh"
#include "ops/cuda/loops.cuh"
#include "ops/cuda/norm_kernels.cuh"
#include "ops/cuda/resize_kernels.cuh"
#include "ops/cuda/slots.cuh"
#include "ops/kernels/choices.inl"
#include "ops/kernels/keys.inl"
#include "ops/kernels/launch_cpu.h"
#include "ops/kernels/pointwise.inl"

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

/// z, labels of which every fifth is not counted, and what plain loops in double make of them.
template <int C>
struct Scores {
  static constexpr std::int64_t rows = 5204;
  static constexpr std::uint32_t packs = std::uint32_t(rows) / Pack<C>::rows;
  alignas(16) std::array<float, rows * C> z, d;
  alignas(16) std::array<std::int32_t, rows> labels;
  std::vector<double> p, log_p;
  double loss = 0, count = 0;

  Scores() : p(rows * C), log_p(rows * C) {
    const std::vector<float> scores = noise(rows * C, 0, "scores"), gradient = noise(rows * C, 0, "gradient");
    for (std::size_t i = 0; i < z.size(); ++i) z[i] = 4 * scores[i], d[i] = gradient[i];
    for (std::int64_t r = 0; r < rows; ++r) {
      double sum = 0;
      for (std::int64_t c = 0; c < C; ++c) sum += std::exp(double(z[at(r, c)]));
      for (std::int64_t c = 0; c < C; ++c) {
        log_p[at(r, c)] = double(z[at(r, c)]) - std::log(sum);
        p[at(r, c)] = std::exp(log_p[at(r, c)]);
      }
      const int t = labels[std::size_t(r)] = r % 5 == 2 ? -1 : int(r * 7 % C);
      if (t >= 0) loss -= log_p[at(r, t)], ++count;
    }
  }
  static std::size_t at(std::int64_t r, std::int64_t c) { return std::size_t(r * C + c); }
  const Pack<C>* packs_of(const std::array<float, rows * C>& values) const {
    return reinterpret_cast<const Pack<C>*>(values.data());
  }
  const PackLabels<C>* marks() const { return reinterpret_cast<const PackLabels<C>*>(labels.data()); }
};

/// What packs_kernel writes with the F that make(y) gives, the same in every order.
template <int C, class Make>
std::vector<float> packs_on_emulator(const Scores<C>& s, Make make) {
  std::vector<float> first;
  for (const Order order : orders) {
    auto y = std::make_unique<Scores<C>>();
    const auto f = make(reinterpret_cast<Pack<C>*>(y->z.data()));
    launch((s.packs + 2 * block_threads - 1) / (2 * block_threads), order, [&] { packs_kernel(s.packs, f); });
    const std::vector<float> values(y->z.begin(), y->z.end());
    if (first.empty()) first = values;
    EXPECT_EQ(values, first);
  }
  return first;
}

template <int C>
void check_classes() {
  const auto scores = std::make_unique<Scores<C>>();
  const Scores<C>& s = *scores;
  for (const unsigned blocks : {1u, 2u, cross_entropy_blocks(s.packs)}) {  // fewer blocks: a thread goes round more often
    float first = 0;
    for (const Order order : orders) {
      float loss = 0, count = 0;
      std::vector<double> partial(2 * blocks);
      launch(blocks, order, [&] { cross_entropy_kernel<C>(s.packs, s.packs_of(s.z), s.marks(), partial.data(), &loss, &count); });
      EXPECT_NEAR(loss, s.loss / s.count, 1e-6 * s.loss / s.count);
      EXPECT_EQ(count, s.count);
      EXPECT_EQ(cross_entropy_finished, 0u);
      if (order == Order::forward) first = loss;
      EXPECT_EQ(loss, first);
    }
  }
  const float count = float(s.count), dloss = 3;
  const std::vector<float> p = packs_on_emulator(s, [&](Pack<C>* y) { return SoftmaxPack<C, false>{s.packs_of(s.z), y}; }),
                           log_p = packs_on_emulator(s, [&](Pack<C>* y) { return SoftmaxPack<C, true>{s.packs_of(s.z), y}; }),
                           dz = packs_on_emulator(s, [&](Pack<C>* y) {
                             return CrossEntropyBackwardPack<C>{s.packs_of(s.z), s.marks(), &count, &dloss, y};
                           });
  const auto outputs = std::make_unique<Scores<C>>(), logarithms = std::make_unique<Scores<C>>();
  std::copy(p.begin(), p.end(), outputs->z.begin());
  std::copy(log_p.begin(), log_p.end(), logarithms->z.begin());
  const std::vector<float> dx = packs_on_emulator(s, [&](Pack<C>* y) {
    return SoftmaxBackwardPack<C, false>{s.packs_of(outputs->z), s.packs_of(s.d), y};
  }), dx_log = packs_on_emulator(s, [&](Pack<C>* y) {
    return SoftmaxBackwardPack<C, true>{s.packs_of(logarithms->z), s.packs_of(s.d), y};
  });
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const int t = s.labels[std::size_t(r)];
    double along = 0, sum = 0;
    for (std::int64_t c = 0; c < C; ++c) along += s.p[s.at(r, c)] * double(s.d[s.at(r, c)]), sum += double(s.d[s.at(r, c)]);
    for (std::int64_t c = 0; c < C; ++c) {
      const std::size_t i = s.at(r, c);
      EXPECT_NEAR(p[i], s.p[i], 1e-6);
      EXPECT_NEAR(log_p[i], s.log_p[i], 4e-6);
      EXPECT_NEAR(dz[i], t < 0 ? 0 : (s.p[i] - (c == t)) * double(dloss) / s.count, 1e-9);
      EXPECT_NEAR(dx[i], s.p[i] * (double(s.d[i]) - along), 2e-6);
      EXPECT_NEAR(dx_log[i], double(s.d[i]) - s.p[i] * sum, 4e-6);
    }
  }
}

TEST(EmulatedKernels, SoftmaxAndCrossEntropyOfFewClasses) {
  check_classes<2>();
  check_classes<3>();
  check_classes<4>();
}

/// As the shared body: where the maximum is not finite the whole row is NaN; classes that are ruled out are not.
TEST(EmulatedKernels, SoftmaxOfTwoClassesThatAreNotFinite) {
  const float infinity = INFINITY;
  alignas(16) const float z[] = {infinity, 0, 0, -infinity, NAN, 1, 1, NAN};
  alignas(16) float y[8];
  launch(1, Order::forward, [&] {
    packs_kernel(2, SoftmaxPack<2, false>{reinterpret_cast<const Pack<2>*>(z), reinterpret_cast<Pack<2>*>(y)});
  });
  EXPECT_EQ(y[2], 1);
  EXPECT_EQ(y[3], 0);
  for (const int i : {0, 1, 4, 5, 6, 7}) EXPECT_TRUE(std::isnan(y[i])) << i;
}

/// y by the definition of resizing, dx by its transpose: every output gives back what it read.
struct PlainResize {
  ResizeGeometry g;
  struct Tap { std::int64_t at[2]; double weight[2]; };
  Tap tap(int a, std::int64_t o) const {
    const double in = double(g.in[a]), out = double(g.out[a]);
    if (!g.linear) return {{o * g.in[a] / g.out[a], 0}, {1, 0}};
    const double wanted = g.align_corners ? (out > 1 ? double(o) * (in - 1) / (out - 1) : 0) : (double(o) + 0.5) * in / out - 0.5;
    const double source = std::clamp(wanted, 0.0, in - 1), low = std::floor(source);
    return {{std::int64_t(low), std::min(std::int64_t(low) + 1, g.in[a] - 1)}, {1 - source + low, source - low}};
  }
  /// f(voxel of y, voxel of x, weight) for all pairs.
  template <class F>
  void for_pairs(F f) const {
    for (std::int64_t n = 0; n < g.N; ++n)
      for (std::int64_t i = 0; i < g.out.volume(); ++i) {
        Extents p, q;
        engine::split(i, g.out, p);
        for (int corner = 0; corner < 8; ++corner) {
          double weight = 1;
          for (int a = 0; a < 3; ++a) {
            const Tap t = tap(a, p[a]);
            q[a] = t.at[corner >> a & 1], weight *= t.weight[corner >> a & 1];
          }
          f(n * g.out.volume() + i, engine::join(n, q, g.in), weight);
        }
      }
  }
};

TEST(EmulatedKernels, ResizeInFours) {
  struct Case { std::int64_t N, C; Extents in, out; bool linear, align_corners; };
  const Case cases[] = {
      {2, 16, {{1, 12, 20}}, {{1, 24, 40}}, true, true},   {1, 8, {{1, 12, 36}}, {{1, 24, 72}}, true, false},
      {2, 4, {{3, 5, 70}}, {{6, 10, 140}}, true, true},    {1, 12, {{4, 6, 5}}, {{7, 11, 13}}, true, false},
      {1, 4, {{1, 33, 47}}, {{1, 9, 11}}, true, true},     {1, 4, {{6, 21, 10}}, {{2, 40, 3}}, true, false},
      {1, 8, {{1, 3, 4}}, {{1, 90, 120}}, true, true},     {2, 4, {{1, 1, 1}}, {{3, 5, 6}}, true, true},
      {1, 520, {{1, 2, 3}}, {{1, 4, 6}}, true, true},      {1, 8, {{2, 5, 7}}, {{4, 17, 15}}, false, false},
      {1, 4, {{3, 19, 11}}, {{2, 5, 4}}, false, false},    {1, 4, {{1, 9, 9}}, {{1, 9, 9}}, true, true},
  };
  for (const Case& c : cases) {
    const ResizeGeometry g{c.N, c.C, c.in, c.out, c.linear, c.align_corners};
    const std::size_t small = std::size_t(g.N * g.in.volume() * g.C), large = std::size_t(g.N * g.out.volume() * g.C);
    const std::vector<float> x = noise(std::int64_t(small), 0, "x"), dy = noise(std::int64_t(large), 0, "dy");
    std::vector<double> y(large), dx(small);
    PlainResize{g}.for_pairs([&](std::int64_t o, std::int64_t q, double weight) {
      for (std::int64_t k = 0; k < g.C; ++k) {
        y[std::size_t(o * g.C + k)] += weight * double(x[std::size_t(q * g.C + k)]);
        dx[std::size_t(q * g.C + k)] += weight * double(dy[std::size_t(o * g.C + k)]);
      }
    });
    ASSERT_GT(ResizePlan::backward_width(g), 0);
    const ResizePlan forward = ResizePlan::forward(g), backward = ResizePlan::backward(g);
    std::vector<float> first_y, first_dx;
    for (const Order order : orders) {
      std::vector<float> ours(large, NAN), ours_dx(small, NAN);
      const auto resize = [&](unsigned blocks, const auto& kernel) {
        emulator::Block::current().launch(blocks, resize_threads, order, kernel);
      };
      const auto fours = [](const auto& v) { return reinterpret_cast<const float4*>(v.data()); };
      resize(unsigned(forward.blocks), [&] {
        if (g.in[0] == 1) resize_kernel<2>(forward, fours(x), reinterpret_cast<float4*>(ours.data()));
        else resize_kernel<4>(forward, fours(x), reinterpret_cast<float4*>(ours.data()));
      });
      resize(unsigned(backward.blocks),
             [&] { resize_backward_kernel(backward, fours(dy), reinterpret_cast<float4*>(ours_dx.data())); });
      if (first_y.empty()) first_y = ours, first_dx = ours_dx;
      EXPECT_EQ(ours, first_y);
      EXPECT_EQ(ours_dx, first_dx);
    }
    for (std::size_t i = 0; i < large; ++i) ASSERT_NEAR(first_y[i], y[i], 1e-5) << c.C << " " << i;
    const double readers = double(large) / double(small) + 1;
    for (std::size_t i = 0; i < small; ++i) ASSERT_NEAR(first_dx[i], dx[i], 2e-6 * readers + 1e-5) << c.C << " " << i;
  }
}

/// Shares that do not fit into shared memory: another path takes these.
TEST(EmulatedKernels, ResizeRefusesWhatDoesNotFit) {
  EXPECT_EQ(ResizePlan::backward_width({1, 4, {{1, 1, 1}}, {{1, 1, 5000}}}), 0);
  EXPECT_EQ(ResizePlan::backward_width({1, 4, {{1, 1, 1}}, {{65, 1, 1}}}), 0);
  EXPECT_EQ(ResizePlan::backward_width({1, 4, {{1, 1, 1}}, {{1, 1, 1024}}}), 1);
}

struct AddSlots {
  float factor;
  bool open = true;
  bool load() const { return open; }
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
  launch(blocks, Order::shuffled, [&] { slots_kernel<2>(table, AddSlots{2, false}); });
  EXPECT_EQ(sums, before);
  launch(blocks, Order::shuffled, [&] { slots_kernel<2>(table, AddSlots{2}); });
  for (std::size_t s = 0; s < sums.size(); ++s)
    for (std::size_t i = 0; i < sums[s].size(); ++i) ASSERT_EQ(sums[s][i], before[s][i] + 2 * terms[s][i]) << s << " " << i;
}

/// The loops of CudaLaunch on the emulator, and one after the other.
template <Order order>
struct EmulatedLaunch {
  template <class F>
  static void for_each(std::int64_t n, F f) {
    launch((n + block_threads - 1) / block_threads, order, [&] { each_kernel(n, f); });
  }
  template <class F>
  static void for_groups(std::int64_t groups, F f) {
    launch(groups, order, [&] { groups_kernel(f); });
  }
};
struct SerialLaunch {
  template <class F>
  static void for_each(std::int64_t n, F f) {
    for (std::int64_t i = 0; i < n; ++i) f(i);
  }
  template <class F>
  static void for_groups(std::int64_t groups, F f) {
    for (std::int64_t g = 0; g < groups; ++g) {
      typename F::Shared shared;
      f(g, shared, OneThread());
    }
  }
};

/// f<Launch>() for each; all give the result of the last.
template <class F>
void expect_equal_results(F f) {
  const auto serial = f.template operator()<SerialLaunch>();
  EXPECT_EQ(f.template operator()<EmulatedLaunch<Order::forward>>(), serial);
  EXPECT_EQ(f.template operator()<EmulatedLaunch<Order::backward>>(), serial);
  EXPECT_EQ(f.template operator()<EmulatedLaunch<Order::shuffled>>(), serial);
}

/// The values around the quantiles of rows that one group searches and of rows that are counted in parts.
TEST(EmulatedKernels, Quantiles) {
  for (const std::int64_t n : {1, 700, 17000}) {
    constexpr std::int64_t rows = 2;
    std::vector<float> x = noise(rows * n, 0, "quantiles");
    for (std::size_t i = 0; i < x.size(); i += 5) x[i] = float(int(x[i]));  // ties
    if (n > 1) x[3] = x[x.size() - 7] = std::nanf("");
    const kernels::Shares shares{{0.01, 0.5, 0.9}, 3, n > 1 ? 2 : 0};
    expect_equal_results([&]<class Launch>() {
      std::vector<kernels::Ranks<std::uint32_t>> found(rows);
      std::vector<int> count(std::size_t(rows * kernels::most_ranks * kernels::digit_values), -1);
      kernels::search_rows<Launch>(shares, rows, n, x.data(), found.data(), count.data());
      std::vector<float> values;
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto& ranks = found[std::size_t(row)];
        std::vector<float> sorted;
        for (std::int64_t i = 0; i < n; ++i)
          if (const float v = x[std::size_t(row * n + i)]; v == v) sorted.push_back(v);
        std::sort(sorted.begin(), sorted.end());
        for (int r = 0; r < ranks.wanted; ++r) values.push_back(kernels::value_of(ranks.begin[ranks.at[r]]));
        const double median = double(shares.skip) + 0.5 * double(std::int64_t(sorted.size()) - 1 - shares.skip);
        EXPECT_EQ(values[values.size() - 4], sorted[std::size_t(median)]);
      }
      return values;
    });
  }
}

TEST(EmulatedKernels, ClosestKeysAndMixtures) {
  constexpr int per_class = 2, K = 3, S = 400, B = K * per_class, H = 7, dim = 40;
  const std::int32_t held[K] = {400, 123, 0};
  std::vector<float> score = noise(B * K * S, 0, "score"), affinity = noise(K * S, 0.5, "affinity"), keys = noise(K * S * dim, 0, "keys");
  for (std::size_t i = 0; i < score.size(); i += 2) score[i] = float(int(2 * score[i]));  // ties, also at the last that is taken
  score[5] = std::nanf("");
  const float theta = 0.5f;
  for (const int n : {1, 50, 200, 600}) {
    expect_equal_results([&]<class Launch>() {
      std::vector<std::int32_t> in_order(std::size_t(B * n)), slots(in_order.size()), found(B), allowed(B);
      Launch::for_groups(B, kernels::ClosestKeys<float>{per_class, K, S, n, held, affinity.data(), &theta, score.data(),
                                                        in_order.data(), slots.data(), found.data(), allowed.data()});
      std::vector<float> mixed(std::size_t(B * H * dim), std::nanf(""));
      Launch::for_groups((B * H + 31) / 32,
                         kernels::Mixtures<float>{MixWeight::random, {}, B * H, H, n, dim, keys.data(), affinity.data(), slots.data(),
                                                  found.data(), allowed.data(), mixed.data()});
      return std::tuple(slots, found, allowed, mixed);
    });
  }
}

/// What groups add up or share: the number of eligible rows, sums over cells, whether all is finite.
TEST(EmulatedKernels, OtherWorkOfGroups) {
  const std::vector<float> x = noise(2 * 4 * 30 * 24 * 2, 0, "x");
  const std::int32_t picks[] = {3, 5, 0, 30};
  expect_equal_results([&]<class Launch>() {
    std::vector<std::int32_t> counted(2);
    Launch::for_groups(2, kernels::CountEligible<float>{0.25f, 1000, 2, 700, x.data(), counted.data()});
    std::vector<float> bad = x;
    std::vector<double> open{1, 1};
    Launch::for_groups(1, kernels::CloseUnlessFinite<float>{1000, bad.data(), &open[0]});
    bad[700] = INFINITY;
    Launch::for_groups(1, kernels::CloseUnlessFinite<float>{1000, bad.data(), &open[1]});
    EXPECT_EQ(open, (std::vector<double>{1, 0}));
    return counted;
  });
  const kernels::PatchCells meet({2, 4, 30, 24, 2}, {{2, 3, 4}}, {{3, 7, 5}});
  const std::size_t cells = std::size_t(meet.window.volume());
  std::vector<double> serial(4 * cells), first;
  SerialLaunch::for_groups(std::int64_t(4 * cells), kernels::CellSums<float>{meet, 2, 2, x.data(), picks, serial.data()});
  const auto check = [&]<Order order>() {
    std::vector<double> ours(4 * cells);
    EmulatedLaunch<order>::for_groups(std::int64_t(4 * cells), kernels::CellSums<float>{meet, 2, 2, x.data(), picks, ours.data()});
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], serial[i], 1e-12);
    if (first.empty()) first = ours;
    EXPECT_EQ(ours, first);
  };
  check.operator()<Order::forward>(), check.operator()<Order::backward>(), check.operator()<Order::shuffled>();
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
