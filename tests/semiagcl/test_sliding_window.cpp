#include "semiagcl/sliding_window.h"

#include <cmath>

#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using engine::Dtype;
using engine::Tensor;
using tests::close;
using tests::Golden;

namespace {

Extents extents(const std::vector<std::int64_t>& v) { return {{v[0], v[1], v[2]}}; }
std::vector<std::int64_t> list(const Extents& e) { return {e[0], e[1], e[2]}; }

/// softmax(image * table) of each window; table [window, 2].
Probabilities table_softmax(const Tensor& table) {
  return [table](const Tensor& x) {
    const std::int64_t V = table.size() / 2, n = x.size() / V;
    const std::vector<double> t = table.to_doubles(), v = x.to_doubles();
    std::vector<double> p;
    for (std::int64_t i = 0; i < n * V; ++i) {
      const double a = v[std::size_t(i)] * t[std::size_t(2 * (i % V))],
                   b = v[std::size_t(i)] * t[std::size_t(2 * (i % V) + 1)];
      const double top = std::max(a, b), ea = std::exp(a - top), eb = std::exp(b - top);
      p.push_back(ea / (ea + eb)), p.push_back(eb / (ea + eb));
    }
    return Tensor::of(x.shape().with(4, 2), p).to(x.dtype());
  };
}

}  // namespace

TEST(SlidingWindow, GoldenStartsAndPadding) {
  const Golden g("metrics_window");
  int cases = 0;
  for (const std::string& name : g.cases()) {
    if (!g.has(name + "/starts")) continue;
    SCOPED_TRACE(name);
    const WindowPlan plan = plan_windows(
        extents(g.integers(name + "/attr.volume")),
        {.window = extents(g.integers(name + "/attr.patch")), .stride = extents(g.integers(name + "/attr.stride"))});
    EXPECT_EQ(list(plan.before), g.integers(name + "/pad_before"));
    EXPECT_EQ(list(plan.after), g.integers(name + "/pad_after"));
    std::vector<std::int64_t> starts;
    for (const Extents& e : plan.all())
      for (int a = 0; a < 3; ++a) starts.push_back(e[a]);
    EXPECT_EQ(starts, g.integers(name + "/starts"));
    ++cases;
  }
  EXPECT_EQ(cases, 10);
}

TEST(SlidingWindow, GoldenAverages) {
  const Golden g("metrics_window");
  for (const char* name : {"average", "average_padded"})
    for (Dtype dtype : {Dtype::f64, Dtype::f32})
      for (std::int64_t batch : {1, 5}) {
        SCOPED_TRACE(name);
        const Tensor image = g.get(std::string(name) + "/image", dtype);
        const engine::Shape s = image.shape();
        const WindowSpec spec{.window = extents(g.integers(std::string(name) + "/attr.patch")),
                              .stride = extents(g.integers(std::string(name) + "/attr.stride")), .batch = batch};
        const Tensor mean =
            sliding_window(image.reshape({s[0], s[1], s[2], 1}), spec, table_softmax(g.get(std::string(name) + "/table")));
        EXPECT_TRUE(close(mean, g.get(std::string(name) + "/mean_probability"), dtype == Dtype::f64 ? 1e-13 : 1e-6));
      }
}

TEST(SlidingWindow, GaussianWeightsStillSumToOne) {
  const Tensor image = tests::random_tensor({5, 7, 6, 2}, 1);
  const WindowSpec spec{.window = {{4, 4, 4}}, .stride = {{2, 1, 2}}, .gaussian = true};
  const Tensor mean =
      sliding_window(image, spec, [](const Tensor& x) { return Tensor::full(x.shape().with(4, 3), 1.0 / 3, x.dtype()); });
  EXPECT_TRUE(close(mean, Tensor::full({5, 7, 6, 3}, 1.0 / 3, Dtype::f64), 1e-14));
  // a pointwise function comes back unchanged whatever the weights
  const Tensor same = sliding_window(image, spec, [](const Tensor& x) { return x; });
  EXPECT_TRUE(close(same, image, 1e-14));
}

TEST(SlidingWindow, Errors) {
  const Tensor image = Tensor::zeros({4, 4, 4, 1});
  EXPECT_THROW(sliding_window(image, {.window = {{2, 2, 2}}, .stride = {{3, 2, 2}}}, [](const Tensor& x) { return x; }),
               engine::UsageError);
  EXPECT_THROW(sliding_window(image, {.window = {{2, 2, 2}}, .stride = {{2, 2, 2}}},
                              [](const Tensor&) {
                                return Tensor::zeros({1, 2, 2, 1, 1});
                              }),
               engine::ShapeError);
}
