#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "autograd/gradcheck.h"
#include "ops/gather.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/class_contrast.h"
#include "semiagcl/baselines/cut_mix.h"
#include "semiagcl/baselines/dense_head.h"
#include "semiagcl/baselines/relation.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using autograd::gradcheck;
using engine::Dtype;
using engine::Shape;
using Doubles = std::vector<double>;
using Variables = std::vector<Variable>;

Tensor of(const Shape& shape, const Doubles& values) { return Tensor::of(shape, values); }

// --- relational distillation: values by numpy ----------------------------------------------------

TEST(RelationalDistillation, ByNumpy) {
  // two rows against a cache of two vectors and an empty place
  const Tensor s = of({1, 2, 2}, {3, 4, 1, 0}), t = of({1, 2, 2}, {0, 1, 0.6, 0.8}), c = of({1, 3, 2}, {1, 0, 0, 1, 0, 0});
  EXPECT_NEAR(relational_distillation(Variable(s), t, c, 0.5, 0.25).value().item(), 0.6969905696027183, 1e-14);
  EXPECT_NEAR(relational_distillation(Variable(t), t, c, 0.25, 0.25).value().item(), 0, 1e-15);  // they agree
}

TEST(RelationalDistillation, EveryGroupHasItsOwnCache) {
  const Tensor one = of({2, 1, 2}, {3, 4, 3, 4}), t = of({2, 1, 2}, {0, 1, 0, 1});
  const auto loss = [&](const Doubles& cache) {
    return relational_distillation(Variable(one), t, of({2, 2, 2}, cache), 0.5, 0.25).value().item();
  };
  const double first = loss({1, 0, 0, 1, 1, 0, 0, 1}), second = loss({-1, 0, 0, 1, -1, 0, 0, 1});
  EXPECT_NEAR(loss({1, 0, 0, 1, -1, 0, 0, 1}), (first + second) / 2, 1e-15);
  EXPECT_NE(first, second);
}

TEST(RelationalDistillation, Gradcheck) {
  const Tensor t = ops::l2_normalise(Variable(random_tensor({2, 3, 4}, 1))).value();
  const Tensor cache = ops::l2_normalise(Variable(random_tensor({2, 5, 4}, 2))).value();
  const auto result = gradcheck([&](const Variables& in) { return relational_distillation(in[0], t, cache, 0.1, 0.2); },
                                {random_tensor({2, 3, 4}, 3)});
  EXPECT_TRUE(result.passed) << result.text();
}

TEST(OutputWindows, OverlapInImages) {
  Tensor coarse = Tensor::empty({2, 1, 16, 16, 1});
  for (std::int64_t i = 0; i < coarse.size(); ++i) coarse.data<float>()[i] = float(i);
  const Tensor windows = output_windows(Variable(coarse)).value();
  ASSERT_EQ(windows.shape(), (Shape{output_window_count(true), 2, output_window_cells(true), 1}));
  EXPECT_EQ(output_window_count(true), 36);
  // the ninth is at row 2 and column 4; of the second image its cell (3, 1)
  EXPECT_EQ(windows.data<float>()[(8 * 2 + 1) * 16 + 3 * 4 + 1], 256 + (2 + 3) * 16 + 4 + 1);
  EXPECT_EQ(output_windows(Variable(Tensor::zeros({1, 16, 16, 16, 2}))).shape(), (Shape{27, 1, 64, 2}));
}

TEST(CoarseMap, IsAMeanOverCells) {
  Tensor x = Tensor::zeros({1, 1, 32, 16, 1});
  x.data<float>()[0] = 3, x.data<float>()[16] = 1;  // rows 0 and 1 of column 0
  const Tensor map = coarse_map(Variable(x)).value();
  ASSERT_EQ(map.shape(), (Shape{1, 1, 16, 16, 1}));
  EXPECT_EQ(map.data<float>()[0], 2);
}

// --- self-training -------------------------------------------------------------------------------

TEST(CutMix, TakesTheBoxFromTheNextImage) {
  const Tensor x = of({3, 1, 1, 2, 1}, {1, 2, 3, 4, 5, 6}), masks = Tensor::of<float>({3, 1, 1, 2}, {1, 0, 0, 1, 1, 0});
  EXPECT_EQ(cut_mix(x, masks).to_doubles(), (Doubles{1, 4, 5, 4, 5, 2}));
  const Tensor one = of({1, 1, 1, 2, 1}, {1, 2});
  EXPECT_EQ(cut_mix(one, Tensor::of<float>({1, 1, 1, 2}, {1, 0})).to_doubles(), one.to_doubles());  // it is its own next
}

TEST(ConfidentCrossEntropy, WeighsImagesByTheirShare) {
  // half of the first image is confident, all of the second: (1.720 / 2 + 0.371) / 2
  const Tensor z = of({2, 1, 1, 2, 2}, {0, 1, 2, 0, 1, 1, 0, 3});
  const Tensor q = of({2, 1, 1, 2, 2}, {0.99, 0.01, 0.4, 0.6, 0.02, 0.98, 0.03, 0.97});
  EXPECT_NEAR(confident_cross_entropy(Variable(z), q).value().item(), 0.6154573453535712, 1e-14);
  const auto result = gradcheck([&](const Variables& in) { return confident_cross_entropy(in[0], q); }, {z});
  EXPECT_TRUE(result.passed) << result.text();
}

// --- the contrast of voxels ----------------------------------------------------------------------

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

TEST(DenseHead, HasTheParametersOfItsConvolutions) {
  engine::Generator random(1, "head");
  DenseHead images({.width = 16}, true, 512, random), volumes({.width = 16}, false, 128, random);
  EXPECT_EQ(layers::count_parameters(images), 496 * 512 * 9 + 512 + 2 * 512 + 512 * 512 + 512);
  EXPECT_EQ(layers::count_parameters(volumes), 496 * 128 * 27 + 128 + 2 * 128 + 128 * 128 + 128);
}

// --- phases --------------------------------------------------------------------------------------

class Distilled : public testing::TestWithParam<std::tuple<std::string, bool>> {};
INSTANTIATE_TEST_SUITE_P(Methods, Distilled, testing::Combine(testing::Values("action", "arco"), testing::Bool()));

TEST_P(Distilled, PreTrainsInTwoStagesThenFineTunes) {
  const auto [method, flat] = GetParam();
  const RunSettings s = small_settings(method, flat);
  const TrainingData data = small_data(flat);
  Trainer trainer(s, data, {});
  ASSERT_EQ(trainer.phases().size(), 4u);
  const std::string names[] = {"warm-up", "pre-training", "pre-training", method};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(trainer.phases()[i].name, names[i]);
    EXPECT_EQ(trainer.phases()[i].steps, 2);
  }
  while (!trainer.finished()) trainer.advance();
  for (const StepReport& r : trainer.reports()) {
    std::set<std::string> seen, want{"sup"};
    for (const auto& [name, value] : r.values.terms) seen.insert(name);
    if (r.step > 2 && r.step <= 6) want.insert("latent");
    if (r.step > 4 && r.step <= 6) want.insert("output");
    if (r.step > 6) want.insert({"pseudo", "contrast"});
    if (r.step > 6 && method == "arco") want.insert({"equivariance", "nearest"});
    EXPECT_EQ(seen, want) << r.step;
  }
}

TEST_P(Distilled, GoesWithoutPreTraining) {
  RunSettings s = small_settings(std::get<0>(GetParam()), true);
  s.contrast.pre_training_share = 0, s.train.steps = 4;
  const TrainingData data = small_data(true);
  Trainer trainer(s, data, {});
  ASSERT_EQ(trainer.phases().size(), 2u);
  EXPECT_EQ(trainer.phases()[1].steps, 3);
  while (!trainer.finished()) trainer.advance();
  EXPECT_NE(trainer.teacher(), nullptr);
}

}  // namespace
}  // namespace sagcl::tests
