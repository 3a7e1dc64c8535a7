#include "semiagcl/evaluation/metrics.h"

#include <algorithm>
#include <cmath>

#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using engine::Dtype;
using engine::Tensor;
using tests::Golden;

namespace {

/// A mask of `shape` that is 1 inside the box [low, high).
Tensor box(const engine::Shape& shape, std::vector<std::int64_t> low, std::vector<std::int64_t> high) {
  Tensor m = Tensor::zeros(shape, Dtype::u8);
  for (std::int64_t i = 0; i < m.size(); ++i) {
    bool in = true;
    std::int64_t rest = i;
    for (int a = shape.rank() - 1; a >= 0; --a) {
      const std::int64_t p = rest % shape[a];
      rest /= shape[a];
      in = in && p >= low[std::size_t(a)] && p < high[std::size_t(a)];
    }
    m.data<std::uint8_t>()[i] = in;
  }
  return m;
}

MetricSpec spec_of(const Golden& g, const std::string& name) {
  const std::vector<double> s = g.get(name + "/spacing").to_doubles();
  MetricSpec spec;
  for (std::size_t a = 0; a < s.size(); ++a) spec.spacing[3 - s.size() + a] = s[a];
  return spec;
}

void check_golden(const char* file) {
  const Golden g(file);
  int cases = 0;
  for (const std::string& name : g.cases()) {
    if (!g.has(name + "/values")) continue;
    SCOPED_TRACE(name);
    const Tensor a = g.get(name + "/a"), b = g.get(name + "/b");
    const MetricSpec spec = spec_of(g, name);
    const CaseScores ab = score(a, b, spec), ba = score(b, a, spec);
    EXPECT_EQ(dice(a, b), ab.dice);
    const std::vector<double> want = g.get(name + "/values").to_doubles();
    const double got[7] = {ab.dice, ab.jaccard, ab.hd95, ab.asd, ba.asd, ab.assd, ab.hd};
    for (int i = 0; i < 7; ++i) EXPECT_NEAR(got[i], want[std::size_t(i)], 1e-12 * std::max(1.0, want[std::size_t(i)])) << i;
    const auto voxels = g.integers(name + "/surface_voxels");
    EXPECT_EQ(std::int64_t(surface_distances(a, b, spec).size()), voxels[0]);
    EXPECT_EQ(std::int64_t(surface_distances(b, a, spec).size()), voxels[1]);
    ++cases;
  }
  EXPECT_EQ(cases, 15);
}

}  // namespace

TEST(Metrics, GoldenImages) { check_golden("metrics_2d"); }
TEST(Metrics, GoldenVolumes) { check_golden("metrics_3d"); }

TEST(Metrics, WorkedExamplesByScipy) {
  const CaseScores flat = score(box({16, 16}, {3, 4}, {9, 12}), box({16, 16}, {5, 2}, {12, 10}));
  EXPECT_NEAR(flat.dice, .461538, 5e-7);
  EXPECT_NEAR(flat.jaccard, .3, 1e-15);
  EXPECT_NEAR(flat.hd95, 3, 1e-15);
  EXPECT_NEAR(flat.asd, 1.804190, 5e-7);
  EXPECT_NEAR(score(box({16, 16}, {5, 2}, {12, 10}), box({16, 16}, {3, 4}, {9, 12})).asd, 2.070474, 5e-7);

  const Tensor a = box({12, 12, 12}, {2, 2, 2}, {8, 8, 8});
  Tensor b = box({12, 12, 12}, {3, 2, 4}, {10, 9, 9});
  b.data<std::uint8_t>()[0] = 1;
  const CaseScores deep = score(a, b);
  EXPECT_NEAR(deep.dice, .519481, 5e-7);
  EXPECT_NEAR(deep.jaccard, .350877, 5e-7);
  EXPECT_NEAR(deep.hd95, 2.236068, 5e-7);
  EXPECT_NEAR(deep.asd, 1.045406, 5e-7);
  EXPECT_NEAR(score(b, a).asd, 1.089003, 5e-7);

  const Tensor all = box({4, 4}, {0, 0}, {4, 4}), inner = box({4, 4}, {1, 1}, {3, 3});
  std::int64_t voxels = 0;
  for (double v : surface(all).to_doubles()) voxels += v != 0;
  EXPECT_EQ(voxels, 12);  // the array's edge is surface
  EXPECT_NEAR(score(all, inner).hd95, 1.414214, 5e-7);
  EXPECT_NEAR(score(all, inner).asd, 1.138071, 5e-7);
  EXPECT_NEAR(score(inner, all).asd, 1, 1e-15);
}

TEST(Metrics, EmptyMasks) {
  const Tensor none = Tensor::zeros({4, 4, 4}, Dtype::u8), some = box({4, 4, 4}, {1, 1, 1}, {3, 3, 3});
  const CaseScores published = score(none, some);
  EXPECT_EQ(published.dice, 0);
  EXPECT_EQ(published.hd95, 0);
  EXPECT_EQ(published.asd, 0);
  EXPECT_TRUE(published.empty_prediction);
  EXPECT_EQ(score(none, none).dice, 0);
  const MetricSpec rule{.empty = EmptyRule::undefined};
  EXPECT_EQ(score(none, none, rule).dice, 1);
  EXPECT_EQ(score(none, none, rule).jaccard, 1);
  EXPECT_EQ(dice(none, none), 1);
  EXPECT_EQ(dice(none, some), 0);
  EXPECT_EQ(score(none, some, rule).dice, 0);
  EXPECT_TRUE(std::isnan(score(none, some, rule).hd95));
  EXPECT_TRUE(std::isnan(score(some, none).hd95));
  EXPECT_EQ(score(some, none).dice, 0);
  EXPECT_THROW(surface_distances(none, some), engine::UsageError);
  EXPECT_THROW(score(none, Tensor::zeros({4, 4}, Dtype::u8)), engine::ShapeError);
  EXPECT_THROW(dice(none, Tensor::zeros({4, 4}, Dtype::u8)), engine::ShapeError);
}

TEST(Metrics, MaskOfClass) {
  const Tensor labels = Tensor::of({1, 4}, std::vector<std::int32_t>{0, 2, -1, 2});
  EXPECT_EQ(mask_of(labels, 2).to_doubles(), (std::vector<double>{0, 1, 0, 1}));
}
