// Softmax and cross entropy of few classes on the emulator, against plain loops.
#include <algorithm>
#include <cmath>
#include <memory>

#include "tests/cuda/kernel_test.h"

#include "ops/cuda/class_kernels.cuh"

namespace sagcl::ops::cuda {
namespace {

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
      launch(blocks, order,
             [&] { cross_entropy_kernel<C>(s.packs, s.packs_of(s.z), s.marks(), partial.data(), &loss, &count); });
      EXPECT_NEAR(loss, s.loss / s.count, 1e-6 * s.loss / s.count);
      EXPECT_EQ(count, s.count);
      EXPECT_EQ(cross_entropy_finished, 0u);
      if (order == Order::forward) first = loss;
      EXPECT_EQ(loss, first);
    }
  }
  const float count = float(s.count), dloss = 3;
  const std::vector<float> p = packs_on_emulator(s,
                                                 [&](Pack<C>*y) {
                                                   return SoftmaxPack<C, false>{s.packs_of(s.z), y};
                                                 }),
                           log_p = packs_on_emulator(s,
                                                     [&](Pack<C>*y) {
                                                       return SoftmaxPack<C, true>{s.packs_of(s.z), y};
                                                     }),
                           dz = packs_on_emulator(s, [&](Pack<C>*y) {
                             return CrossEntropyBackwardPack<C>{s.packs_of(s.z), s.marks(), &count, &dloss, y};
                           });
  const auto outputs = std::make_unique<Scores<C>>(), logarithms = std::make_unique<Scores<C>>();
  std::copy(p.begin(), p.end(), outputs->z.begin());
  std::copy(log_p.begin(), log_p.end(), logarithms->z.begin());
  const std::vector<float> dx = packs_on_emulator(
                               s,
                               [&](Pack<C>*y) {
                                 return SoftmaxBackwardPack<C, false>{s.packs_of(outputs->z), s.packs_of(s.d), y};
                               }),
                           dx_log = packs_on_emulator(s, [&](Pack<C>*y) {
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

}  // namespace
}  // namespace sagcl::ops::cuda
