#include "semiagcl/patches.h"

#include <cmath>

#include "engine/parallel.h"
#include "semiagcl/sampling.h"
#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using engine::Dtype;
using engine::Tensor;
using tests::close;
using tests::Golden;

namespace {
/// The grid that gives patches of the golden size.
Extents grid_of(const engine::Shape& x, const std::vector<std::int64_t>& patch) {
  return {{x[1] / patch[0], x[2] / patch[1], x[3] / patch[2]}};
}
}  // namespace

TEST(Patches, GoldenEntropyEq1) {
  const Golden g("agcl_entropy");
  for (const std::string name : {"entropy_2d", "entropy_3d", "entropy_rgb"})
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name);
      const double tolerance = dtype == Dtype::f64 ? 1e-14 : 1e-6;
      const Tensor image = g.get(name + "/image", dtype), map = g.get(name + "/conf", dtype),
                   hot = g.get(name + "/conf_onehot", dtype);
      const Extents grid = grid_of(image.shape(), g.integers(name + "/attr.patch"));
      EXPECT_TRUE(close(patch_entropy(image, map, grid), g.get(name + "/ent_clamped"), tolerance));
      EXPECT_TRUE(close(patch_entropy(image, map, grid, EntropyForm::plain), g.get(name + "/ent_plain"), tolerance));
      EXPECT_TRUE(close(patch_entropy(image, hot, grid), g.get(name + "/ent_onehot_clamped"), tolerance));
      EXPECT_TRUE(close(patch_entropy(image, hot, grid, EntropyForm::plain), g.get(name + "/ent_onehot_plain"), tolerance));
      EXPECT_TRUE(close(patch_entropy_of_confidence(map, grid), g.get(name + "/ent_conf_only_clamped"), tolerance));
    }
}

TEST(Patches, EntropyByHand) {
  // one patch of two voxels with confidence 1: x = 1/2 has entropy ln 2, x = 1 has none
  const Tensor x = Tensor::of({1, 1, 1, 2, 1}, std::vector<double>{0.5, 1}),
               one = Tensor::full({1, 1, 1, 2, 1}, 1, Dtype::f64);
  EXPECT_NEAR(patch_entropy(x, one, {{1, 1, 1}}, EntropyForm::plain).item(), std::log(2.0) / 2, 1e-16);
}

TEST(Patches, GoldenRobustRange) {
  const Golden g("agcl_entropy");
  const Tensor x = g.get("robust_minmax/x");
  const std::vector<double> lo = g.get("robust_minmax/lo").to_doubles(), hi = g.get("robust_minmax/hi").to_doubles();
  const std::vector<double> ranges = robust_range(x).to_doubles();
  for (std::size_t n = 0; n < 2; ++n) {
    EXPECT_NEAR(ranges[2 * n], lo[n], 1e-14);
    EXPECT_NEAR(ranges[2 * n + 1], hi[n], 1e-14 * hi[n]);
  }
  // The reference combines every image with both ranges, [n,..,j]; the pairs n = j are what is meant.
  const std::vector<double> want = g.get("robust_minmax/y").to_doubles(), got = unit_range(x).to_doubles();
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[2 * i + i / (got.size() / 2)], 1e-14);
}

TEST(Patches, ConstantImageHasNoEntropy) {
  const Tensor unit = unit_range(Tensor::full({1, 1, 2, 2, 1}, 7, Dtype::f32));
  for (double v : unit.to_doubles()) EXPECT_EQ(v, 0);
}

TEST(Patches, ConfidenceCosineAndAttendedPatches) {
  // a row of two patches of two voxels; class 0 is certain in the first
  const Tensor x = Tensor::of({1, 1, 1, 4, 1}, std::vector<double>{1, 2, 2, 4});
  const Tensor map = Tensor::of({1, 1, 1, 4, 2}, std::vector<double>{1, 0, 1, 0, 0.5, 0.5, 0, 1});
  const Extents grid{{1, 1, 2}};
  EXPECT_EQ(patch_confidence(map, grid).to_doubles(), (std::vector<double>{1, 0, 0.25, 0.75}));
  const auto picks = [](std::int32_t a, std::int32_t b) { return Tensor::of({2, 1}, std::vector<std::int32_t>{a, b}); };
  EXPECT_EQ(attended_patches(x, map, grid, picks(1, 1)).to_doubles(), (std::vector<double>{1, 0, 1, 4}));
  const std::vector<double> cosine = patch_cosine(x, map, grid).to_doubles();
  EXPECT_NEAR(cosine[0], 1, 1e-15);                   // the anchor itself
  EXPECT_NEAR(cosine[2], 1 / std::sqrt(5.0), 1e-15);  // (1,0) against (1,2)
  EXPECT_EQ(cosine[1], 0);                            // class 1 is absent from the first patch
  EXPECT_NEAR(cosine[3], 1, 1e-15);
  EXPECT_THROW(patch_confidence(map, {{1, 1, 3}}), engine::ShapeError);
  EXPECT_THROW(attended_patches(x, map, grid, picks(2, 0)), engine::UsageError);
  EXPECT_THROW(attended_patches(x, map, grid, picks(0, 0).reshape({1, 2})), engine::ShapeError);
  EXPECT_THROW(attended_patches(x, map.to(Dtype::f32), grid, picks(0, 0)), engine::DtypeError);
}

TEST(Patches, OneHot) {
  const Tensor hot = one_hot(Tensor::of({1, 1, 1, 3}, std::vector<std::int32_t>{1, -1, 0}), 2, Dtype::f32);
  EXPECT_EQ(hot.to_doubles(), (std::vector<double>{0, 1, 0, 0, 1, 0}));
  EXPECT_THROW(one_hot(Tensor::of({1, 1, 1, 1}, std::vector<std::int32_t>{2}), 2, Dtype::f32), engine::DataError);
}

TEST(Sampling, GoldenTopN) {
  const Golden g("agcl_entropy");
  const std::vector<double> score = g.get("top_n/score").to_doubles();
  const std::int64_t rows = g.get("top_n/score").shape()[0], patches = g.get("top_n/score").shape()[1];
  std::vector<double> by_patch;  // the rows of the reference are classes here
  for (std::int64_t p = 0; p < patches; ++p)
    for (std::int64_t k = 0; k < rows; ++k) by_patch.push_back(score[std::size_t(k * patches + p)]);
  Method m;
  m.top_n = std::int64_t(g.number("top_n/attr.n_asked"));
  const Tensor certain = Tensor::full({1, patches, rows}, 1, Dtype::f64);
  const Picks picks = class_centric_patches(Tensor::of(certain.shape(), by_patch), certain, m);
  EXPECT_EQ(picks.patch.shape(), (engine::Shape{rows, std::int64_t(g.number("top_n/attr.n_capped"))}));
  const auto want = g.integers("top_n/index");
  EXPECT_EQ(picks.patch.to_doubles(), std::vector<double>(want.begin(), want.end()));
}

TEST(Sampling, NeverMorePatchesThanThereAre) {
  EXPECT_EQ(capped_top_n(20, 8, 0.25), 2);
  EXPECT_EQ(capped_top_n(20, 3, 0.25), 1);
  EXPECT_EQ(capped_top_n(20, 8, 1), 8);
}

TEST(Sampling, PatchesThatDoNotCountFillUp) {
  // 8 patches, 2 classes; class 1 hardly occurs: none of its patches counts however high its score, but one
  std::vector<double> score, confidence;
  for (int p = 0; p < 8; ++p)
    score.insert(score.end(), {double(p % 4), 9.0 - p}), confidence.insert(confidence.end(), {0.5, p == 5 ? 0.01 : 0.001});
  const Picks picks = class_centric_patches(Tensor::of({2, 4, 2}, score), Tensor::of({2, 4, 2}, confidence), Method());
  // a quarter of 8, ties to the lower patch; patch 5 counts for class 1, patch 0 with the highest score fills up
  EXPECT_EQ(picks.patch.to_vector<std::int32_t>(), (std::vector<std::int32_t>{3, 7, 5, 0}));
  EXPECT_EQ(picks.counted.to_vector<std::int32_t>(), (std::vector<std::int32_t>{2, 1}));
}

TEST(Patches, DoNotDependOnTheNumberOfThreads) {
  const Tensor x = tests::random_tensor({2, 8, 24, 24, 1}, 11, Dtype::f32),
               map = unit_range(tests::random_tensor(x.shape(), 12, Dtype::f32));
  const Extents grid{{2, 3, 3}};
  const int before = engine::threads();
  std::vector<Tensor> results;
  for (int threads : {1, 2, 8}) {
    engine::set_threads(threads);
    results.push_back(patch_entropy(unit_range(x), map, grid));
  }
  engine::set_threads(before);
  EXPECT_TRUE(tests::identical(results[0], results[1]));
  EXPECT_TRUE(tests::identical(results[0], results[2]));
}

TEST(Sampling, EveryScoreOfTableV) {
  const Tensor x = tests::random_tensor({2, 1, 8, 8, 3}, 5),
               map = one_hot(Tensor::zeros({2, 1, 8, 8}, Dtype::i32), 2, Dtype::f64);
  Method m;
  m.patch_grid = {{1, 2, 2}};
  for (Score score : {Score::entropy, Score::confidence, Score::cosine}) {
    m.score = score;
    const Picks picks = class_centric_patches(sampling_score(x, map, m), patch_confidence(map, m.patch_grid), m);
    EXPECT_EQ(picks.counted.to_vector<std::int32_t>(), (std::vector<std::int32_t>{2, 0}));
  }
}
