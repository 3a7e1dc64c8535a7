// Groups of threads on the emulator: selections and the paper's kernels, against one thread.
#include <algorithm>
#include <tuple>

#include "tests/cuda/kernel_test.h"

#include "ops/kernels/arithmetic.inl"
#include "ops/kernels/launch_cpu.h"
#include "ops/kernels/selection.inl"
#include "semiagcl/kernels/hard_negatives.inl"
#include "semiagcl/kernels/patches.inl"

namespace sagcl::ops::cuda {
namespace {

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
  if constexpr (several_orders) {
    EXPECT_EQ(f.template operator()<EmulatedLaunch<Order::backward>>(), serial);
    EXPECT_EQ(f.template operator()<EmulatedLaunch<Order::shuffled>>(), serial);
  }
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
  std::vector<float> score = noise(B * K * S, 0, "score"), affinity = noise(K * S, 0.5, "affinity"),
                     keys = noise(K * S * dim, 0, "keys");
  // ties, also at the last that is taken
  for (std::size_t i = 0; i < score.size(); i += 2) score[i] = float(int(2 * score[i]));
  score[5] = std::nanf("");
  const float theta = 0.5f;
  for (const int n : {1, 50, 200, 600}) {
    expect_equal_results([&]<class Launch>() {
      std::vector<std::int32_t> in_order(std::size_t(B * n)), slots(in_order.size()), found(B), allowed(B);
      Launch::for_groups(
          B, semiagcl::kernels::ClosestKeys<float>{per_class, K, S, n, held, affinity.data(), &theta, score.data(),
                                                   in_order.data(), slots.data(), found.data(), allowed.data()});
      std::vector<float> mixed(std::size_t(B * H * dim), std::nanf(""));
      Launch::for_groups((B * H + 31) / 32, semiagcl::kernels::Mixtures<float>{semiagcl::MixWeight::random,
                                                                               {},
                                                                               B * H,
                                                                               H,
                                                                               n,
                                                                               dim,
                                                                               keys.data(),
                                                                               affinity.data(),
                                                                               slots.data(),
                                                                               found.data(),
                                                                               allowed.data(),
                                                                               mixed.data()});
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
  const semiagcl::kernels::PatchCells meet({2, 4, 30, 24, 2}, {{2, 3, 4}}, {{3, 7, 5}});
  const std::size_t cells = std::size_t(meet.window.volume());
  std::vector<double> serial(4 * cells), first;
  SerialLaunch::for_groups(std::int64_t(4 * cells),
                           semiagcl::kernels::CellSums<float>{meet, 2, 2, x.data(), picks, serial.data()});
  const auto check = [&]<Order order>() {
    std::vector<double> ours(4 * cells);
    EmulatedLaunch<order>::for_groups(std::int64_t(4 * cells),
                                      semiagcl::kernels::CellSums<float>{meet, 2, 2, x.data(), picks, ours.data()});
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], serial[i], 1e-12);
    if (first.empty()) first = ours;
    EXPECT_EQ(ours, first);
  };
  check.operator()<Order::forward>();
  if constexpr (several_orders) check.operator()<Order::backward>(), check.operator()<Order::shuffled>();
}

}  // namespace
}  // namespace sagcl::ops::cuda
