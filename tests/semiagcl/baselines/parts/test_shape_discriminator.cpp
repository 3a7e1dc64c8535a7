#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "semiagcl/baselines/parts/shape_discriminator.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using engine::Dtype;

std::int64_t parameters_of_discriminator(const ShapeDiscriminator::Spec& spec) {
  engine::Generator random(1, "weights");
  ShapeDiscriminator made(spec, random);
  return layers::count_parameters(made);
}

TEST(ShapeDiscriminator, HasTheReleasedParameters) {
  EXPECT_EQ(parameters_of_discriminator({}), 11020290);
  // 64 (16 · 3 + 1), 64 (16 + 1), 128 (16 · 64 + 1), 256 (16 · 128 + 1), 512 (16 · 256 + 1), 2 (512 + 1)
  EXPECT_EQ(parameters_of_discriminator({.distances = 3, .flat = true}), 2758658);
}

/// A narrow one for images, in f64.
ShapeDiscriminator narrow(std::int64_t distances) {
  engine::Generator random(2, "weights");
  ShapeDiscriminator made({.distances = distances, .width = 2, .flat = true}, random);
  layers::convert_to(made, Dtype::f64);
  return made;
}

/// Against an implementation in NumPy: parameters 0.3 sin(i + 1/2), map tanh(sin(0.7 i)), image cos(1.3 i).
TEST(ShapeDiscriminator, ScoresAsNumpy) {
  ShapeDiscriminator judge = narrow(2);
  const auto fill = [](Tensor t, double (*value)(double)) {
    for (std::int64_t i = 0; i < t.size(); ++i) t.data<double>()[i] = value(double(i));
  };
  for (auto& [name, p] : layers::parameters_in_order(judge))
    fill(p->value_for_update(), [](double i) { return 0.3 * std::sin(i + 0.5); });
  const Tensor map = Tensor::zeros({1, 1, 16, 20, 2}, Dtype::f64), image = Tensor::zeros({1, 1, 16, 20, 1}, Dtype::f64);
  fill(map, [](double i) { return std::tanh(std::sin(0.7 * i)); });
  fill(image, [](double i) { return std::cos(1.3 * i); });
  const Doubles scores = judge.forward(Variable(map), Variable(image), {}).value().to_doubles();
  EXPECT_NEAR(scores[0], 0.78982379, 1e-8);
  EXPECT_NEAR(scores[1], -0.2834636, 1e-7);
}

TEST(ShapeDiscriminator, NamesTheSmallestCrop) {
  const ShapeDiscriminator judge = narrow(1);
  const Variable small(Tensor::zeros({1, 1, 16, 15, 1}, Dtype::f64)), enough(Tensor::zeros({1, 1, 16, 31, 1}, Dtype::f64));
  EXPECT_TRUE(throws<engine::UsageError>([&] { judge.forward(small, small, {}); }, "train.patch = [1, 16, 16] or larger"));
  EXPECT_EQ(judge.forward(enough, enough, {}).shape(), (engine::Shape{1, 2}));
}

TEST(ShapeDiscriminator, JudgementByHand) {
  const Variable scores(Tensor::of({3, 2}, Doubles{1, 2, 0.5, -0.5, 3, 0}));
  const auto wrong = [](double margin) { return std::log(1 + std::exp(margin)); };
  EXPECT_NEAR(judgement_loss(scores, 1).value().item(), (wrong(-1) + wrong(-1) + wrong(-3)) / 3, 1e-15);
  EXPECT_NEAR(judgement_loss(scores, 3).value().item(), (wrong(-1) + wrong(1) + wrong(3)) / 3, 1e-15);
}

TEST(ShapeDiscriminator, Gradcheck) {
  const ShapeDiscriminator judge = narrow(1);
  const auto loss = [&](const Variables& in) { return judgement_loss(judge.forward(in[0], in[1], {}), 1); };
  const auto result = autograd::gradcheck(loss, {random_tensor({2, 1, 16, 16, 1}, 1), random_tensor({2, 1, 16, 16, 1}, 2)},
                                          {.step = 1e-6, .tolerance = 1e-6, .most_elements = 40});
  EXPECT_TRUE(result.passed) << result.text();
}

}  // namespace
}  // namespace sagcl::tests
