// Resizing on the emulator, against its definition.
#include <algorithm>
#include <cmath>

#include "tests/cuda/kernel_test.h"

#include "ops/cuda/resize_kernels.cuh"

namespace sagcl::ops::cuda {
namespace {

/// y by the definition of resizing, dx by its transpose: every output gives back what it read.
struct PlainResize {
  ResizeGeometry g;
  struct Tap {
    std::int64_t at[2];
    double weight[2];
  };
  Tap tap(int a, std::int64_t o) const {
    const double in = double(g.in[a]), out = double(g.out[a]);
    if (!g.linear) return {{o * g.in[a] / g.out[a], 0}, {1, 0}};
    const double wanted =
        g.align_corners ? (out > 1 ? double(o) * (in - 1) / (out - 1) : 0) : (double(o) + 0.5) * in / out - 0.5;
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
  struct Case {
    std::int64_t N, C;
    Extents in, out;
    bool linear, align_corners;
  };
  const Case cases[] = {
      {2, 16, {{1, 12, 20}}, {{1, 24, 40}}, true, true}, {1, 8, {{1, 12, 36}}, {{1, 24, 72}}, true, false},
      {2, 4, {{3, 5, 70}}, {{6, 10, 140}}, true, true},  {1, 12, {{4, 6, 5}}, {{7, 11, 13}}, true, false},
      {1, 4, {{1, 33, 47}}, {{1, 9, 11}}, true, true},   {1, 4, {{6, 21, 10}}, {{2, 40, 3}}, true, false},
      {1, 8, {{1, 3, 4}}, {{1, 90, 120}}, true, true},   {2, 4, {{1, 1, 1}}, {{3, 5, 6}}, true, true},
      {1, 520, {{1, 2, 3}}, {{1, 4, 6}}, true, true},    {1, 8, {{2, 5, 7}}, {{4, 17, 15}}, false, false},
      {1, 4, {{3, 19, 11}}, {{2, 5, 4}}, false, false},  {1, 4, {{1, 9, 9}}, {{1, 9, 9}}, true, true},
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
    // Activations in bf16: the same of their values, rounded once.
    const auto rounded = [](const std::vector<float>& v) {
      std::vector<engine::bf16> all;
      for (float f : v) all.push_back(engine::bf16(f));
      return all;
    };
    const auto in_type = [&]<class V, class T>(engine::Type<V>, const std::vector<T>& from, const std::vector<T>& back) {
      std::vector<T> to(large), to_dx(small);
      const auto fours = [](const std::vector<T>& v) { return reinterpret_cast<const V*>(v.data()); };
      const auto run = [](int n, const auto& kernel) {
        emulator::Block::current().launch(unsigned(n), resize_threads, Order::forward, kernel);
      };
      run(forward.blocks, [&] {
        if (g.in[0] == 1) resize_kernel<2>(forward, fours(from), reinterpret_cast<V*>(to.data()));
        else resize_kernel<4>(forward, fours(from), reinterpret_cast<V*>(to.data()));
      });
      run(backward.blocks, [&] { resize_backward_kernel(backward, fours(back), reinterpret_cast<V*>(to_dx.data())); });
      to.insert(to.end(), to_dx.begin(), to_dx.end());
      return to;
    };
    const std::vector<engine::bf16> x16 = rounded(x), dy16 = rounded(dy), half = in_type(engine::Type<Bf16x4>(), x16, dy16),
                                    whole =
                                        rounded(in_type(engine::Type<float4>(), std::vector<float>(x16.begin(), x16.end()),
                                                        std::vector<float>(dy16.begin(), dy16.end())));
    for (std::size_t i = 0; i < half.size(); ++i) ASSERT_EQ(half[i].bits, whole[i].bits) << c.C << " " << i;
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

}  // namespace
}  // namespace sagcl::ops::cuda
