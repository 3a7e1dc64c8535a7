#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "layers/segmenter.h"
#include "ops/arithmetic.h"
#include "semiagcl/baselines/parts/class_separation.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using engine::Dtype;

TEST(ClassSeparation, DistancesByHand) {
  const Variable f(Tensor::of({3, 2}, Doubles{1, 0, 0, 1, 0.6, 0.8}));
  const Variable w(Tensor::of({3, 3}, Doubles{1, 0, 0, 0.5, 0, 0, 0, 2, 0}));
  const Variable m(Tensor::of({3, 2, 2}, Doubles{1, 0, 0, 1, 0.6, 0.8, 1, 0, 1, 0, 0, 1}));
  const Variable v(Tensor::of({3, 2}, Doubles{1, 3, 1, 0, 1, 1}));
  const Doubles d = class_distances(f, w, m, v).value().to_doubles();
  EXPECT_NEAR(d[0], (1 * 3 * 1 + 0.5 * 1 * 1) / (1.5 * 4), 1e-12);  // pairs (1, 2) and (2, 1) are at distance 1
  EXPECT_NEAR(d[1], 0, 1e-12);                                      // the same vector
  EXPECT_NEAR(d[2], 1, 1e-12);                                      // no voxel
}

TEST(ClassSeparation, Gradcheck) {
  const auto result = autograd::gradcheck(
      [](const Variables& in) { return class_distances(in[0], ops::square(in[1]), in[2], ops::square(in[3])); },
      {random_tensor({7, 3}, 1), random_tensor({7, 2}, 2), random_tensor({2, 4, 3}, 3), random_tensor({2, 4}, 4)});
  EXPECT_TRUE(result.passed) << result.text();
}

/// Two channels, three classes; weights and features from a formula that another program can follow.
struct Heads {
  static constexpr std::int64_t rows = 120;
  engine::Generator random{1, "heads"};
  SeparationHeads heads{2, 3, random};
  Tensor features = Tensor::zeros({rows, 2}, Dtype::f64);
  Tensor labels = Tensor::zeros({rows}, Dtype::i32), predicted = Tensor::zeros({rows}, Dtype::i32);

  Heads() {
    layers::convert_to(heads, Dtype::f64);
    double number = 0;
    for (const auto& [name, p] : layers::parameters_in_order(heads)) {
      double* value = p->value_for_update().data<double>();
      for (std::int64_t j = 0; j < p->value().size(); ++j) value[j] = 0.5 * std::sin(1 + number + 0.7 * double(j));
      ++number;
    }
    for (std::int64_t i = 0; i < features.size(); ++i) features.data<double>()[i] = std::cos(0.37 * double(i));
    for (std::int32_t i = 0; i < rows; ++i) {
      labels.data<std::int32_t>()[i] = i % 3;
      predicted.data<std::int32_t>()[i] = i % 7 == 0 ? 0 : i % 3;
    }
  }
  double loss(const ClassMemory& memory) { return heads.loss(Variable(features), labels, memory).value().item(); }
};

// The numbers are those of a program in numpy that takes the voxels of each class apart and has all pairs in a matrix.
TEST(ClassSeparation, LossOfAllPairs) {
  Heads h;
  const ClassMemory memory = h.heads.remember(h.features, h.labels, h.predicted);
  ASSERT_EQ(memory.features.shape(), (engine::Shape{2, 32, 32}));
  const Doubles rows = memory.features.to_doubles();
  EXPECT_NEAR(rows[0], 0.13297907, 1e-8);
  EXPECT_NEAR(rows[1], -0.03597526, 1e-8);
  EXPECT_NEAR(rows[63 * 32 + 2], -0.05890447, 1e-8);
  for (double counted : memory.counted.to_doubles()) EXPECT_EQ(counted, 1);  // 34 of each class are correct
  EXPECT_NEAR(h.loss(memory), 0.051206527438612724, 1e-11);

  for (std::int64_t i = 5; i < Heads::rows; i += 3) h.labels.data<std::int32_t>()[i] = 0;
  EXPECT_NEAR(h.loss(memory), 0.026964874680976313, 1e-11);  // one voxel of the second class is none
}

TEST(ClassSeparation, AClassWithoutMemoryCountsNothing) {
  Heads h;
  const ClassMemory none = h.heads.remember(h.features, h.labels, Tensor::zeros({Heads::rows}, Dtype::i32));
  EXPECT_EQ(none.counted.to_doubles(), Doubles(64, 0));
  EXPECT_EQ(h.loss(none), 0);
  Variable x = Variable::parameter(h.features);
  autograd::Tape tape;
  tape.backward(h.heads.loss(x, h.labels, none));
  EXPECT_EQ(x.grad().to_doubles(), Doubles(240, 0));
}

// Both networks as released, whose counts are with the two selectors of the background: 2,306.
TEST(ClassSeparation, Parameters) {
  engine::Generator random(1, "networks");
  auto vnet = layers::make_segmenter("vnet", {.classes = 2}, random),
       unet = layers::make_segmenter("unet", {.classes = 4}, random);
  SeparationHeads two(16, 2, random), four(16, 4, random);
  EXPECT_EQ(layers::count_parameters(*vnet) + layers::count_parameters(two) + 2306, 9'457'318);
  EXPECT_EQ(layers::count_parameters(*unet) + layers::count_parameters(four) + 2306, 1'826'828);
}

}  // namespace
}  // namespace sagcl::tests
