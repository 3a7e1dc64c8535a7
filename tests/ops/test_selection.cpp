#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>

#include "engine/parallel.h"
#include "engine/random.h"
#include "ops/backend.h"
#include "ops/selection.h"
#include "tests/cases/kernel_cases.h"
#include "tests/support/golden.h"
#include "tests/support/recording_device.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using engine::Dtype;
using engine::Generator;
using engine::Shape;
using Doubles = std::vector<double>;
using Ints = std::vector<std::int32_t>;

ops::Backend& cpu() { return ops::backend(engine::Device::cpu()); }

Tensor of(const Shape& shape, const Doubles& values, Dtype dtype) { return Tensor::of(shape, values).to(dtype); }
Ints ints(const Tensor& t) { return t.to_vector<std::int32_t>(); }

class Selection : public testing::TestWithParam<Dtype> {};
INSTANTIATE_TEST_SUITE_P(Floats, Selection, testing::Values(Dtype::f32, Dtype::f64),
                         [](const auto& d) { return engine::to_string(d.param); });

// --- quantiles -----------------------------------------------------------------------------------

/// By sorting, with numpy's rule.
double sorted_quantile(Doubles row, std::int64_t skip, double q) {
  std::erase_if(row, [](double v) { return std::isnan(v); });
  std::sort(row.begin(), row.end());
  row.erase(row.begin(), row.begin() + std::ptrdiff_t(std::min<std::size_t>(std::size_t(skip), row.size())));
  if (row.empty()) return NAN;
  const double at = q * double(row.size() - 1);
  const auto below = std::size_t(at), above = std::min(below + 1, row.size() - 1);
  const double a = row[below], b = row[above], t = at - double(below);
  return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

void expect_quantiles(const Tensor& x, std::int64_t skip, const Doubles& q) {
  const std::int64_t rows = x.shape()[0], n = x.shape()[1];
  Tensor y = Tensor::empty({rows, std::int64_t(q.size())}, x.dtype());
  cpu().quantiles(skip, q, x, y);
  const Doubles values = x.to_doubles(), found = y.to_doubles();
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < q.size(); ++j) {
      const double want = sorted_quantile(Doubles(values.begin() + r * n, values.begin() + (r + 1) * n), skip, q[j]);
      const double rounded = x.dtype() == Dtype::f32 ? double(float(want)) : want,
                   ours = found[std::size_t(r) * q.size() + j];
      if (std::isnan(rounded)) EXPECT_TRUE(std::isnan(ours)) << ours;
      else EXPECT_EQ(ours, rounded) << n << " values, row " << r << ", share " << q[j];
    }
}

TEST_P(Selection, QuantilesAreThoseOfSorting) {
  for (const std::int64_t n : {1, 2, 3, 10, 255, 256, 1000, 8192, 16384, 16385, 30000, 100003})
    for (const std::int64_t rows : {1, 3}) {
      Tensor x = normal_values({rows, n}, Dtype::f64, "x", 3);
      double* v = x.data<double>();
      for (std::int64_t i = 0; i < x.size(); i += 3) v[i] = double(std::int64_t(v[i]));  // ties, and 0 and -0
      for (std::int64_t i = 1; i < x.size(); i += 11) v[i] = i % 2 ? NAN : -NAN;
      for (std::int64_t i = 5; i < x.size(); i += 1001) v[i] *= i % 2 ? 1e30 : 1e-40;  // denormal in f32
      expect_quantiles(x.to(GetParam()), 0, {0.005, 0.995, 0.25, 0.5, 0, 1});
    }
}

TEST_P(Selection, QuantilesLeaveOutTheSmallest) {
  const Tensor x = normal_values({4, 101}, GetParam(), "x");
  for (const std::int64_t skip : {1, 50, 99}) expect_quantiles(x, skip, {0.5, 0.9});
  expect_quantiles(x, 100, {0, 0.3, 1});  // one left: the largest
  expect_quantiles(x, 101, {0.5});        // none left
  expect_quantiles(x, 1000, {0.5});
  expect_quantiles(Tensor::full({2, 3}, NAN, GetParam()), 0, {0.5, 0.1});
  expect_quantiles(Tensor::full({1, 20000}, NAN, GetParam()), 0, {0.5});
  expect_quantiles(of({1, 3}, {2, NAN, 1}, GetParam()), 1, {0, 0.5, 1});
}

TEST_P(Selection, QuantilesOfInfiniteValues) {
  Tensor y = Tensor::empty({1, 2}, GetParam());
  cpu().quantiles(0, {0.25, 0.5}, of({1, 5}, {INFINITY, 3, -INFINITY, 1, 2}, GetParam()), y);
  EXPECT_EQ(y.to_doubles(), (Doubles{1, 2}));
}

TEST_P(Selection, UnitRange) {
  Tensor y = Tensor::empty({3, 3}, GetParam());
  cpu().unit_range(of({3, 3}, {0, 1, 4, -1, 2, 1.5, 7, 7, 7}, GetParam()), of({3, 2}, {0, 2, 1, 2, 7, 7}, GetParam()), y);
  EXPECT_EQ(y.to_doubles(), (Doubles{0, 0.5, 1, 0, 1, 0.5, 0, 0, 0}));
}

void expect_top(const Doubles& score, const Doubles& weight, double least, std::int64_t M, std::int64_t K, std::int64_t n,
                Dtype dtype) {
  Tensor picks = Tensor::empty({K, n}, Dtype::i32), counted = Tensor::empty({K}, Dtype::i32);
  cpu().top_rows(least, of({M, K}, score, dtype), of({M, K}, weight, dtype), picks, counted);
  for (std::int64_t k = 0; k < K; ++k) {
    Ints order(static_cast<std::size_t>(M));
    std::iota(order.begin(), order.end(), 0);
    const auto s = [&](std::int32_t m) { return score[std::size_t(m * K + k)]; };
    const auto eligible = [&](std::int32_t m) { return weight[std::size_t(m * K + k)] >= least; };
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      if (eligible(a) != eligible(b)) return eligible(a);
      return std::isnan(s(a)) || std::isnan(s(b)) ? !std::isnan(s(a)) && std::isnan(s(b)) : s(a) > s(b);
    });
    const std::int64_t all = std::count_if(order.begin(), order.end(), eligible);
    order.resize(std::size_t(n));
    const Ints found = ints(picks);
    EXPECT_EQ(Ints(found.begin() + k * n, found.begin() + (k + 1) * n), order);
    EXPECT_EQ(ints(counted)[std::size_t(k)], std::min(all, n));
  }
}

TEST_P(Selection, TopRows) {
  Generator random(5, "top");
  for (const auto& [M, K, n] : {std::tuple(1, 1, 1), {7, 2, 7}, {50, 3, 4}, {600, 2, 31}})
    for (const double share : {0.0, 0.05, 0.5, 1.0}) {
      Doubles score, weight;
      for (std::int64_t i = 0; i < M * K; ++i) {
        score.push_back(random.coin(0.1) ? NAN : double(random.integer(12)));
        weight.push_back(random.coin(share) ? 1 : 0);
      }
      expect_top(score, weight, 0.5, M, K, n, GetParam());
    }
  expect_top(Doubles(9, NAN), Doubles(9, 1), 0, 9, 1, 5, GetParam());
  expect_top({1, 2, 3, 4, 5}, {1, 1, NAN, 1, 0}, 0.5, 5, 1, 5, GetParam());  // a weight of NaN does not count
}

// --- element by element --------------------------------------------------------------------------

TEST_P(Selection, Choose) {
  const Tensor mask = Tensor::of<float>({2, 1, 1, 2}, {1, 0, 0, 1}),
               a = of({2, 1, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}, GetParam()),
               b = of({2, 1, 1, 2, 2}, {-1, -2, -3, -4, -5, -6, -7, -8}, GetParam());
  EXPECT_EQ(ops::choose(mask, a, b).to_doubles(), (Doubles{1, 2, -3, -4, -5, -6, 7, 8}));
  const Tensor labels = Tensor::of<std::int32_t>({2, 1, 1, 2}, {0, 1, 2, 3});
  EXPECT_EQ(ints(ops::choose(mask, labels, Tensor::full(labels.shape(), -1, Dtype::i32))), (Ints{0, -1, -1, 3}));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::choose(mask, labels, labels.reshape({1, 1, 2, 2}));
      },
      "choose: [2, 1, 1, 2]"));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::choose(labels, a, b); }, "i32"));
}

TEST_P(Selection, OneHot) {
  Tensor y = Tensor::empty({4, 3}, GetParam());
  cpu().one_hot(Tensor::of<std::int32_t>({4}, {2, -1, 0, 3}), y);
  EXPECT_EQ(y.to_doubles(), (Doubles{0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0}));
  cpu().one_hot(Tensor::of<std::uint8_t>({4}, {1, 0, 255, 2}), y);
  EXPECT_EQ(y.to_doubles(), (Doubles{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}));
}

TEST_P(Selection, DiagonalAndBelow) {
  Tensor d = Tensor::empty({2, 2}, GetParam()), y = Tensor::empty({3, 2}, GetParam());
  cpu().diagonal(of({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}, GetParam()), d);
  EXPECT_EQ(d.to_doubles(), (Doubles{1, 4, 5, 8}));
  cpu().below(of({3}, {0.5, NAN, 0.25}, GetParam()), number(0.5), y);
  EXPECT_EQ(y.to_doubles(), (Doubles{0, 0, 0, 0, 1, 1}));
}

TEST_P(Selection, ScaleBy) {
  Tensor x = of({3}, {1, -2, 0.5}, GetParam());
  cpu().scale_by(number(-0.5), x, x);
  EXPECT_EQ(x.to_doubles(), (Doubles{-0.5, 1, -0.25}));
}

TEST_P(Selection, CloseUnlessFinite) {
  for (const double value : {0.0, 1e30, double(NAN), double(INFINITY), -double(INFINITY)})
    for (const double open : {0.0, 1.0}) {
      Tensor flag = number(open);
      cpu().close_unless_finite(of({3}, {1, value, 2}, GetParam()), flag);
      EXPECT_EQ(flag.item(), std::isfinite(value) ? open : 0);
    }
}

TEST_P(Selection, AddNoise) {
  const Tensor x = normal_values({5, 2001}, GetParam(), "x");
  Tensor y = x.clone();
  const engine::RandomKey key = Generator(3, "noise").next_key();
  cpu().add_noise(key, 0.1, 0.2, y, y);
  Doubles want = x.to_doubles();
  double squares = 0;
  std::int64_t clamped = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - double(engine::unit(key.word(2 * i)))));
    const double normal = radius * std::cos(2 * std::numbers::pi * double(engine::unit(key.word(2 * i + 1))));
    const double noise = std::clamp(0.1 * normal, -0.2, 0.2);
    want[i] += noise, squares += noise * noise, clamped += std::abs(noise) == 0.2;
  }
  EXPECT_TRUE(close(y, Tensor::of(x.shape(), want), GetParam() == Dtype::f32 ? 1e-7 : 1e-15));
  EXPECT_NEAR(std::sqrt(squares / double(want.size())), 0.0976, 0.003);  // of a normal variable that is clamped at 2 σ
  EXPECT_NEAR(double(clamped) / double(want.size()), 0.0455, 0.008);
}

TEST_P(Selection, Uniform) {
  Tensor y = Tensor::zeros({5, 2001}, GetParam());
  const engine::RandomKey key = Generator(3, "noise").next_key();
  cpu().uniform(key, 0.7, 0.9, y);
  Doubles want;
  for (std::int64_t i = 0; i < y.size(); ++i)
    want.push_back(0.7 + (0.9 - 0.7) * double(engine::unit(key.word(std::uint64_t(i)))));
  EXPECT_TRUE(close(y, Tensor::of(y.shape(), want), GetParam() == Dtype::f32 ? 1e-7 : 1e-15));
}

// --- drawing rows --------------------------------------------------------------------------------

TEST_P(Selection, DrawRowsInProportionToWeights) {
  // weights 1, 0, 3 and 0, 0, 0: a quarter of [0, 1) is row 0's, the rest row 2's
  const Tensor picks = ops::draw_rows(of({3, 2}, {1, 0, 0, 0, 3, 0}, GetParam()),
                                      of({2, 5}, {0, 0.2, 0.25, 0.5, 1, 0, 0.2, 0.25, 0.5, 1}, GetParam()));
  EXPECT_EQ(ints(picks), (Ints{0, 0, 2, 2, 2, 0, 0, 0, 0, 0}));
}

TEST_P(Selection, DrawRowsOfManyChunks) {
  Generator random(7, "draw");
  const std::int64_t M = 1000, n = 300;
  Doubles weight, u;
  for (std::int64_t m = 0; m < M; ++m) weight.push_back(m / 256 == 1 ? 0.0 : double(random.integer(3)));  // an empty chunk
  for (std::int64_t i = 0; i < n; ++i) u.push_back(double(random.integer(4096)) / 4096);
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);  // integers: every sum is exact
  Ints want;
  for (double number : u) {
    double sum = 0;
    std::int32_t m = 0;
    for (; m < M; ++m)
      if ((sum += weight[std::size_t(m)]) > number * total) break;
    want.push_back(m);
  }
  EXPECT_EQ(ints(ops::draw_rows(of({M, 1}, weight, GetParam()), of({1, n}, u, GetParam()))), want);
}

TEST_P(Selection, DrawRowsRefusesNegativeWeights) {
  const Tensor u = of({1, 1}, {0.5}, GetParam());
  EXPECT_THROW(ops::draw_rows(of({2, 1}, {1, -1}, GetParam()), u), engine::UsageError);
  EXPECT_THROW(ops::draw_rows(of({2, 1}, {1, NAN}, GetParam()), u), engine::UsageError);
  EXPECT_THROW(ops::draw_rows(of({1, 2}, {1, 1}, GetParam()), u), engine::ShapeError);
}

// --- all of them ---------------------------------------------------------------------------------

TEST_P(Selection, NeverDependOnThreads) {
  const int before = engine::threads();
  for (const KernelCase& c : kernel_cases()) {
    std::vector<Tensor> one;
    for (const int threads : {1, 2, 8}) {
      engine::set_threads(threads);
      const std::vector<Tensor> all = c.f(c.inputs(GetParam()));
      if (threads == 1) one = all;
      for (std::size_t i = 0; i < all.size(); ++i)
        EXPECT_TRUE(identical(all[i], one[i])) << c.name << ", " << threads << " threads";
    }
  }
  engine::set_threads(before);
}

/// Everything happens in loops on the device, which a recording holds: nothing on the host, nothing too early.
TEST_P(Selection, CanBeRecorded) {
  RecordingDevice& device = RecordingDevice::get();
  for (const KernelCase& c : kernel_cases()) {
    const std::vector<Tensor> direct = c.f(c.inputs(GetParam()));
    std::vector<Tensor> inputs, recorded;
    for (const Tensor& t : c.inputs(GetParam())) inputs.push_back(t.to(RecordingDevice::place()));
    const auto work = device.record([&] { recorded = c.f(inputs); });
    for (int run = 0; run < 2; ++run) {
      work->run();
      for (std::size_t i = 0; i < direct.size(); ++i)
        EXPECT_TRUE(identical(recorded[i].to(engine::Device::cpu()), direct[i])) << c.name;
    }
  }
}

}  // namespace
}  // namespace sagcl::tests
