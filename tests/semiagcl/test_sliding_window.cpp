#include "semiagcl/evaluation/sliding_window.h"

#include <algorithm>
#include <cmath>

#include "engine/random.h"
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

/// All planes, put together.
Tensor whole(const Tensor& image, const WindowSpec& spec, const Probabilities& probabilities) {
  std::vector<double> values;
  engine::Shape s = image.shape();
  s = s.with(0, 0);
  sliding_window(image, spec, probabilities, [&](const Tensor& planes) {
    const std::vector<double> v = planes.to_doubles();
    values.insert(values.end(), v.begin(), v.end());
    s = planes.shape().with(0, s[0] + planes.shape()[0]);
    EXPECT_EQ(planes.dtype(), image.dtype());
  });
  return Tensor::of(s, values).to(image.dtype());
}

/// The same by definition: a sum for every voxel of the volume, window after window.
Tensor by_definition(const Tensor& image, const WindowSpec& spec, std::int64_t C, const Probabilities& probabilities) {
  const engine::Shape s = image.shape();
  const WindowPlan plan = plan_windows({{s[0], s[1], s[2]}}, spec);
  std::vector<double> weight[3], total[3];
  for (int a = 0; a < 3; ++a) {
    const double centre = double(spec.window[a] - 1) / 2, sigma = spec.gaussian_share * double(spec.window[a]);
    for (std::int64_t i = 0; i < spec.window[a]; ++i)
      weight[a].push_back(spec.gaussian ? std::exp(-0.5 * std::pow((double(i) - centre) / sigma, 2)) : 1);
    total[a].assign(std::size_t(s[a]), 0);
    for (std::int64_t start : plan.starts[a])
      for (std::int64_t i = 0; i < spec.window[a]; ++i)
        if (const std::int64_t at = start + i - plan.before[a]; at >= 0 && at < s[a])
          total[a][std::size_t(at)] += weight[a][std::size_t(i)];
  }
  Tensor sum = Tensor::zeros(s.with(3, C), image.dtype());
  engine::visit_float(image.dtype(), [&]<class T>(engine::Type<T>) {
    for (const Extents& start : plan.all()) {
      Tensor x = Tensor::zeros({1, spec.window[0], spec.window[1], spec.window[2], s[3]}, image.dtype());
      const auto each = [&](auto&& f) {  // f(voxel of the window, voxel of the volume, weight)
        for (std::int64_t i = 0; i < spec.window.volume(); ++i) {
          Extents p, q;
          engine::split(i, spec.window, p);
          bool inside = true;
          for (int a = 0; a < 3; ++a) q[a] = p[a] + start[a] - plan.before[a], inside = inside && q[a] >= 0 && q[a] < s[a];
          const double row = weight[0][std::size_t(p[0])] * weight[1][std::size_t(p[1])];
          if (inside) f(i, engine::join(0, q, {{s[0], s[1], s[2]}}), T(row * weight[2][std::size_t(p[2])]));
        }
      };
      each(
          [&](std::int64_t i, std::int64_t v, T) { std::copy_n(image.data<T>() + v * s[3], s[3], x.data<T>() + i * s[3]); });
      const Tensor p = probabilities(x);
      each([&](std::int64_t i, std::int64_t v, T w) {
        for (std::int64_t c = 0; c < C; ++c) sum.data<T>()[v * C + c] += w * p.data<T>()[i * C + c];
      });
    }
    for (std::int64_t v = 0; v < sum.size() / C; ++v) {
      Extents q;
      engine::split(v, {{s[0], s[1], s[2]}}, q);
      const double weights = total[0][std::size_t(q[0])] * total[1][std::size_t(q[1])] * total[2][std::size_t(q[2])];
      for (std::int64_t c = 0; c < C; ++c) sum.data<T>()[v * C + c] = T(sum.data<T>()[v * C + c] / weights);
    }
  });
  return sum;
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
                              .stride = extents(g.integers(std::string(name) + "/attr.stride")),
                              .batch = batch};
        const Tensor mean =
            whole(image.reshape({s[0], s[1], s[2], 1}), spec, table_softmax(g.get(std::string(name) + "/table")));
        EXPECT_TRUE(close(mean, g.get(std::string(name) + "/mean_probability"), dtype == Dtype::f64 ? 1e-13 : 1e-6));
      }
}

TEST(SlidingWindow, GaussianWeightsStillSumToOne) {
  const Tensor image = tests::random_tensor({5, 7, 6, 2}, 1);
  const WindowSpec spec{.window = {{4, 4, 4}}, .stride = {{2, 1, 2}}, .gaussian = true};
  const Tensor mean =
      whole(image, spec, [](const Tensor& x) { return Tensor::full(x.shape().with(4, 3), 1.0 / 3, x.dtype()); });
  EXPECT_TRUE(close(mean, Tensor::full({5, 7, 6, 3}, 1.0 / 3, Dtype::f64), 1e-14));
  // a pointwise function comes back unchanged whatever the weights
  const Tensor same = whole(image, spec, [](const Tensor& x) { return x; });
  EXPECT_TRUE(close(same, image, 1e-14));
}

// σ = 4 / 8, so a window's voxels count e^-4.5, e^-0.5, e^-0.5, e^-4.5. Each window answers with its own number.
TEST(SlidingWindow, GaussianWeightsByHand) {
  WindowSpec spec{.window = {{1, 1, 4}}, .stride = {{1, 1, 2}}, .gaussian = true};
  const auto number = [windows = 0](const Tensor& x) mutable { return Tensor::full(x.shape(), ++windows, x.dtype()); };
  const double share = std::exp(-4.5) / (std::exp(-4.5) + std::exp(-0.5));  // of a window's edge over another's inside
  EXPECT_NEAR(share, 0.01798621, 1e-8);
  const Tensor image = Tensor::zeros({1, 1, 6, 1}, Dtype::f64);
  EXPECT_TRUE(
      close(whole(image, spec, number), Tensor::of<double>({1, 1, 6, 1}, {1, 1, 1 + share, 2 - share, 2, 2}), 1e-14));
  // Along all axes at once: the corner of a window counts e^-13.5 and is not lost in single precision.
  spec.window = {{4, 4, 4}}, spec.stride = {{4, 4, 4}};
  EXPECT_TRUE(close(whole(Tensor::zeros({4, 4, 4, 1}), spec, number), Tensor::full({4, 4, 4, 1}, 1, Dtype::f32), 1e-6));
}

TEST(SlidingWindow, AGaussianSoWideThatAllCountAlikeIsTheMeanBitForBit) {
  const Tensor image = tests::random_tensor({9, 11, 7, 2}, 3, Dtype::f32);
  WindowSpec spec{.window = {{4, 5, 3}}, .stride = {{2, 3, 1}}};
  const auto squares = [](const Tensor& x) {
    Tensor p = x.clone();
    for (std::int64_t i = 0; i < p.size(); ++i) p.data<float>()[i] *= float(i % 97);
    return p;
  };
  const Tensor mean = whole(image, spec, squares);
  spec.gaussian = true, spec.gaussian_share = 1e9;
  EXPECT_TRUE(tests::identical(whole(image, spec, squares), mean));
  spec.gaussian_share = 0.125;
  EXPECT_FALSE(tests::identical(whole(image, spec, squares), mean));
}

TEST(SlidingWindow, PlanesHaveTheBitsOfTheWholeVolume) {
  engine::Generator random(5, "volumes");
  const auto between = [&](std::int64_t low, std::int64_t high) { return low + random.integer(high - low + 1); };
  const Tensor table = tests::random_tensor({3}, 8);
  for (int k = 0; k < 200; ++k) {
    WindowSpec spec;
    engine::Shape shape{1, 1, 1, between(1, 2)};
    for (int a = 0; a < 3; ++a) {
      spec.window[a] = between(1, 6), spec.stride[a] = between(1, spec.window[a]);
      shape = shape.with(a, between(1, 13));  // some smaller than the window, which is padded
    }
    spec.gaussian = k % 2, spec.batch = between(1, 5);
    const Dtype dtype = k % 3 ? Dtype::f32 : Dtype::f64;
    SCOPED_TRACE(fmt::format("{}: {}, window {}, stride {}, {} at once", k, shape, to_string(spec.window),
                             to_string(spec.stride), spec.batch));
    const Tensor image = tests::random_tensor(shape, std::uint64_t(k), dtype);
    const auto probabilities = [&](const Tensor& x) {  // of three classes; depends on the place in the window
      std::vector<double> p;
      const std::vector<double> v = x.to_doubles();
      for (std::size_t i = 0; i < v.size(); i += std::size_t(shape[3]))
        for (int c = 0; c < 3; ++c)
          p.push_back(std::abs(v[i] * table.data<double>()[c]) +
                      double(i / std::size_t(shape[3]) % std::size_t(spec.window.volume()) % 7));
      return Tensor::of(x.shape().with(4, 3), p).to(dtype);
    };
    EXPECT_TRUE(tests::identical(whole(image, spec, probabilities), by_definition(image, spec, 3, probabilities)));
  }
}

TEST(SlidingWindow, HandsPlanesOutAsSoonAsTheyAreDone) {
  const Tensor image = tests::random_tensor({40, 3, 3, 1}, 1);
  const WindowSpec spec{.window = {{4, 2, 2}}, .stride = {{2, 1, 1}}};
  std::int64_t windows = 0, planes = 0, told = 0;
  sliding_window(
      image, spec,
      [&](const Tensor& x) {
        EXPECT_LE(2 * (windows / 4) - planes, 4);  // four windows side by side, every two planes; four planes are held
        ++windows;
        return x;
      },
      [&](const Tensor& x) { planes += x.shape()[0]; },
      [&](std::int64_t done, std::int64_t total) { EXPECT_TRUE(done == ++told && total == 19 * 4); });
  EXPECT_EQ(planes, 40);
  EXPECT_EQ(told, windows);

  struct Stop {};
  EXPECT_THROW(sliding_window(
                   image, spec, [](const Tensor& x) { return x; }, [](const Tensor&) {},
                   [](std::int64_t done, std::int64_t) {
                     if (done == 3) throw Stop();
                   }),
               Stop);
}

TEST(SlidingWindow, Errors) {
  const Tensor image = Tensor::zeros({4, 4, 4, 1});
  EXPECT_THROW(whole(image, {.window = {{2, 2, 2}}, .stride = {{3, 2, 2}}}, [](const Tensor& x) { return x; }),
               engine::UsageError);
  EXPECT_THROW(whole(image, {.window = {{2, 2, 2}}, .stride = {{2, 2, 2}}},
                     [](const Tensor&) {
                       return Tensor::zeros({1, 2, 2, 1, 1});
                     }),
               engine::ShapeError);
}
