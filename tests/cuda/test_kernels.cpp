// The GPU's loops, norms and updates on the emulator, against plain loops, and the emulator itself.
#include <cmath>
#include <limits>

#include "engine/place.h"
#include "tests/cuda/kernel_test.h"

#include "ops/cuda/norm_kernels.cuh"
#include "ops/cuda/slots.cuh"

namespace sagcl::ops::cuda {
namespace {

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

std::vector<engine::bf16> rounded(const std::vector<float>& x) {
  std::vector<engine::bf16> y;
  for (float v : x) y.push_back(engine::bf16(v));
  return y;
}

std::vector<std::uint16_t> bits(const std::vector<engine::bf16>& x) {
  std::vector<std::uint16_t> all;
  for (engine::bf16 v : x) all.push_back(v.bits);
  return all;
}

/// Statistics, value and gradients of activations in bf16 are those of the same values in f32, rounded once.
TEST(EmulatedKernels, NormsInBf16AreThoseOfF32Rounded) {
  const std::int64_t rows = 515, C = 20;
  const std::vector<engine::bf16> x16 = rounded(noise(rows * C, 1, "x")), dy16 = rounded(noise(rows * C, 0, "dy"));
  const std::vector<float> x(x16.begin(), x16.end()), dy(dy16.begin(), dy16.end()), gamma = noise(C, 0, "gamma"),
                                                                                    beta = noise(C, 0, "beta");
  const NormPlan plan(1, rows, C);
  struct Results {
    std::vector<Moments> moments;
    std::vector<float> mean, variance, pull;
    std::vector<double> sums;
  };
  const auto run = [&]<class V, class T>(const std::vector<T>& in, const std::vector<T>& slope_of_loss, engine::Type<V>,
                                         std::vector<T>& y, std::vector<T>& dx) {
    Results r{std::vector<Moments>(std::size_t(plan.chunks * C)), std::vector<float>(std::size_t(C)),
              std::vector<float>(std::size_t(C)), noise(2 * C, 0, "pull"),
              std::vector<double>(std::size_t(2 * plan.chunks * C))};
    const auto *xs = reinterpret_cast<const V*>(in.data()), *ds = reinterpret_cast<const V*>(slope_of_loss.data());
    launch(plan.chunks, Order::forward, [&] { moments_kernel(plan, xs, r.moments.data()); });
    launch(C, Order::forward,
           [&] { join_moments_kernel(plan.chunks, C, 1, r.moments.data(), r.mean.data(), r.variance.data()); });
    const NormChannels given{int(C), 1, 1e-3, r.mean.data(), r.variance.data(), gamma.data(), beta.data()};
    launch(plan.chunks, Order::forward, [&] { norm_apply_kernel(plan, given, 0.1f, xs, reinterpret_cast<V*>(y.data())); });
    launch(plan.chunks, Order::forward, [&] { norm_sums_kernel(plan, given, 0.1f, xs, ds, r.sums.data()); });
    launch(plan.chunks, Order::forward,
           [&] { norm_input_kernel(plan, given, 0.1f, r.pull.data(), xs, ds, reinterpret_cast<V*>(dx.data())); });
    return r;
  };
  std::vector<float> y(x.size()), dx(x.size());
  std::vector<engine::bf16> y16(x.size()), dx16(x.size());
  const Results whole = run(x, dy, engine::Type<float4>(), y, dx), half = run(x16, dy16, engine::Type<Bf16x4>(), y16, dx16);
  EXPECT_EQ(half.mean, whole.mean);
  EXPECT_EQ(half.variance, whole.variance);
  EXPECT_EQ(half.sums, whole.sums);
  EXPECT_EQ(bits(y16), bits(rounded(y)));
  EXPECT_EQ(bits(dx16), bits(rounded(dx)));
}

/// y and all gradients of a norm with LeakyReLU, whose sets are channels over all rows, or groups of channels of an image.
TEST(EmulatedKernels, NormApplyAndBackward) {
  const struct {
    std::int64_t outer, rows, C;
    int channels;
    bool fixed;
  } cases[] = {{1, 515, 20, 1, false}, {1, 515, 20, 1, true}, {3, 70, 12, 4, false}, {2, 9, 8, 1, false}};
  const float slope = 0.1f;
  for (const auto& [outer, rows, C, channels, fixed] : cases) {
    SCOPED_TRACE(testing::Message() << outer << " x " << rows << " x " << C << ", sets of " << channels);
    const std::int64_t sets = outer * C / channels, cells = outer * C;
    const std::vector<float> x = noise(cells * rows, 1, "x"), dy = noise(cells * rows, 0, "dy"),
                             mean = noise(sets, 1, "mean"), gamma = noise(C, 0, "gamma"), beta = noise(C, 0, "beta");
    std::vector<float> variance = noise(sets, 0, "variance");
    for (float& v : variance) v = v * v + 0.5f;
    const NormChannels given{int(C), channels, 1e-3, mean.data(), variance.data(), gamma.data(), beta.data()};
    const NormPlan plan(outer, rows, C);
    const std::int64_t blocks = plan.outer * plan.chunks;
    const auto *xs = reinterpret_cast<const float4*>(x.data()), *ds = reinterpret_cast<const float4*>(dy.data());
    for (const Order order : orders) {
      std::vector<float> y(x.size()), dx(x.size()), pull(std::size_t(2 * cells)), dgamma(gamma.size()), dbeta(gamma.size());
      std::vector<double> partial(std::size_t(2 * blocks * C)), sums(std::size_t(2 * cells));
      launch(blocks, order, [&] { norm_apply_kernel(plan, given, slope, xs, reinterpret_cast<float4*>(y.data())); });
      launch(blocks, order, [&] { norm_sums_kernel(plan, given, slope, xs, ds, partial.data()); });
      emulator::Block::current().launch(unsigned(cells), join_threads, order, [&] {
        join_norm_sums_kernel(plan, given, fixed, partial.data(), sums.data(), pull.data(), dgamma.data(), dbeta.data());
      });
      EXPECT_EQ(norm_sums_finished, 0U);
      launch(blocks, order,
             [&] { norm_input_kernel(plan, given, slope, pull.data(), xs, ds, reinterpret_cast<float4*>(dx.data())); });
      // By definition, in double: each set's rows and channels.
      std::vector<double> sum(gamma.size()), sum_x(gamma.size()), g(x.size()), normal(x.size());
      for (std::int64_t set = 0; set < sets; ++set) {
        const std::int64_t o = set / (C / channels), first = set % (C / channels) * channels;
        const double inverse = 1 / std::sqrt(double(variance[std::size_t(set)]) + 1e-3);
        double pulled = 0, pulled_x = 0;
        const auto each = [&](auto f) {
          for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t c = first; c < first + channels; ++c) f(std::size_t((o * rows + r) * C + c), std::size_t(c));
        };
        each([&](std::size_t i, std::size_t c) {
          normal[i] = (double(x[i]) - double(mean[std::size_t(set)])) * inverse;
          const double v = normal[i] * double(gamma[c]) + double(beta[c]);
          g[i] = (v > 0 ? 1 : double(slope)) * double(dy[i]);
          EXPECT_NEAR(y[i], v > 0 ? v : double(slope) * v, 1e-5);
          sum[c] += g[i], sum_x[c] += g[i] * normal[i];
          pulled += double(gamma[c]) * g[i], pulled_x += double(gamma[c]) * g[i] * normal[i];
        });
        const double count = fixed ? std::numeric_limits<double>::infinity() : double(rows) * channels;
        each([&](std::size_t i, std::size_t c) {
          const double v = normal[i] * double(gamma[c]) + double(beta[c]);
          if (std::abs(v) < 1e-5) return;  // on which side of 0 it falls is a matter of rounding
          EXPECT_NEAR(dx[i], inverse * (double(gamma[c]) * g[i] - pulled / count - normal[i] * pulled_x / count), 1e-4);
        });
      }
      for (std::size_t c = 0; c < gamma.size(); ++c) {
        EXPECT_NEAR(dbeta[c], sum[c], 1e-3);
        EXPECT_NEAR(dgamma[c], sum_x[c], 1e-3);
      }
    }
  }
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

/// ThreadSanitizer must see it too, or its silence about the others means nothing.
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
  EXPECT_THROW(launch(1, Order::forward,
                      [] {
                        if (threadIdx.x < 10) __syncthreads();
                      }),
               std::logic_error);
}

}  // namespace
}  // namespace sagcl::ops::cuda
