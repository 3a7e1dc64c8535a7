#include <gtest/gtest.h>

#include <set>

#include "autograd/gradcheck.h"
#include "semiagcl/baselines/parts/class_contrast.h"
#include "tests/support/by_hand.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using autograd::gradcheck;
using engine::Dtype;

const Tensor five_features = of({5, 2}, {1, 0, 3, 4, 0, 2, -1, 1, 2, 1});

ClassContrast three_classes() {
  return {.queries = Tensor::of<std::int32_t>({3, 2}, {0, 1, 2, 2, 4, 3}),
          .positives = of({3, 2}, {2, 0, 1, 1, 0, 1}),
          .negatives = of({3, 2, 2}, {0, 1, -1, 0, 1, 0, 1, 0, 3, 4, 1, -1}),
          .usable = of({3}, {1, 1, 0}),
          .classes = Tensor::full({}, 3, Dtype::f64)};
}

TEST(ClassContrast, ByNumpyWithGivenIndices) {
  EXPECT_NEAR(class_contrast(Variable(five_features), three_classes()).value().item(), 0.314032693039539, 1e-14);
}

TEST(ClassContrast, Gradcheck) {
  const auto result =
      gradcheck([&](const Variables& in) { return class_contrast(in[0], three_classes()); }, {five_features});
  EXPECT_TRUE(result.passed) << result.text();
}

TEST(ClassContrast, NegativeWeightsByNumpy) {
  const Tensor valid = of({5, 3}, {1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0});
  const Tensor weights = negative_weights(class_sums(five_features, valid), valid);
  // columns in proportion to the classes' softmax, each shared by its voxels
  const Doubles want{0,
                     0.25,
                     0.09778515874652156,
                     0,
                     0.25,
                     0.09778515874652156,
                     0.8044296825069569,
                     0,
                     0.8044296825069569,
                     0.19557031749304313,
                     0.5,
                     0,
                     0,
                     0,
                     0};
  const Doubles w = weights.to_doubles();
  for (std::size_t k = 0; k < 3; ++k) {
    double total = 0;
    for (std::size_t m = 0; m < 5; ++m) total += w[3 * m + k];
    for (std::size_t m = 0; m < 5; ++m) EXPECT_NEAR(w[3 * m + k] / total, want[3 * m + k], 1e-14) << m << " " << k;
  }
}

TEST(ClassContrast, DrawsHardQueriesAndNegativesOfOtherClasses) {
  const Tensor features = Tensor::of<float>({5, 2}, {1, 0, 3, 4, 0, 2, -1, 1, 2, 1});
  const Tensor valid = Tensor::of<float>({5, 3}, {1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0});
  const Tensor p = Tensor::of<float>({5, 3}, {.99f, 0, 0, .5f, 0, 0, 0, .98f, 0, 0, .3f, 0, .2f, .2f, .2f});
  engine::Generator random(1, "draws");
  const ClassContrast c = reco_contrast(features, p, valid, random);
  const auto queries = c.queries.to_vector<std::int32_t>();
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(queries[i], 1);    // voxel 0 is too sure of itself
  for (std::size_t i = 256; i < 512; ++i) EXPECT_EQ(queries[i], 3);  // voxel 2, too
  EXPECT_EQ(c.usable.to_doubles(), (Doubles{1, 1, 0}));
  EXPECT_EQ(c.classes.item(), 2);
  std::set<float> of_first;
  for (std::int64_t r = 0; r < negatives_per_class; ++r) of_first.insert(c.negatives.data<float>()[2 * r]);
  EXPECT_EQ(of_first, (std::set<float>{0, -1}));  // voxels 2 and 3
  // One class alone has nothing to be told from.
  const Tensor alone = Tensor::of<float>({5, 3}, {1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(reco_contrast(features, p, alone, random).usable.to_doubles(), (Doubles{0, 0, 0}));
}

}  // namespace
}  // namespace sagcl::tests
