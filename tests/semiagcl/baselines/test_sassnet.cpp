#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/gradcheck.h"
#include "semiagcl/baselines/sassnet.h"
#include "semiagcl/training/training_step.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using engine::Dtype;
using Doubles = std::vector<double>;

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
  const auto loss = [&](const std::vector<Variable>& in) { return judgement_loss(judge.forward(in[0], in[1], {}), 1); };
  const auto result = autograd::gradcheck(loss, {random_tensor({2, 1, 16, 16, 1}, 1), random_tensor({2, 1, 16, 16, 1}, 2)},
                                          {.step = 1e-6, .tolerance = 1e-6, .most_elements = 40});
  EXPECT_TRUE(result.passed) << result.text();
}

/// Gradients of a phase's first step on one labelled and one unlabelled image, always from the same weights.
layers::NamedGradients gradients_of(std::size_t phase, double ramp) {
  const RunSettings s = small_settings("sassnet", true);
  const layers::SegmenterSpec spec{.width = 2};
  ShapeAwareNetwork method(s, spec, {});
  engine::Generator random(3, "weights");
  const std::unique_ptr<layers::Segmenter> student = layers::make_segmenter("unet", spec, random);
  const std::vector<Phase> phases = method.phases();
  EXPECT_TRUE(phases[phase].distances);
  TrainingStep work(s, *student, phases[phase], {});
  datasets::Batch batch;
  batch.labelled = 1;
  batch.weak = batch.strong = random_tensor({2, 1, 32, 32, 1}, 1, Dtype::f32);
  batch.label = Tensor::zeros({1, 1, 32, 32}, Dtype::i32);
  batch.distance = random_tensor({1, 1, 32, 32, 1}, 2, Dtype::f32, 0.3);
  work.take(std::move(batch));
  work.prepare({.ramp = ramp});
  work.differentiate(engine::Generator(1, "step"));
  return work.gradients();
}

TEST(Sassnet, EachLossDrivesItsOwnModules) {
  const layers::NamedGradients start = gradients_of(0, 1), silent = gradients_of(1, 0), all = gradients_of(1, 1);
  // Student and head learn nothing from the discriminator's own loss …
  for (const auto& [name, g] : start) EXPECT_EQ(silent.at(name).to_doubles(), g.to_doubles()) << name;
  // … but from its judgement, through the maps alone, …
  EXPECT_NE(all.at("distance.conv.w").to_doubles(), silent.at("distance.conv.w").to_doubles());
  EXPECT_EQ(all.at("head.w").to_doubles(), silent.at("head.w").to_doubles());
  // … which teaches it nothing.
  int of_discriminator = 0;
  for (const auto& [name, g] : all) {
    if (!name.starts_with("discriminator.")) continue;
    ++of_discriminator;
    EXPECT_EQ(g.to_doubles(), silent.at(name).to_doubles()) << name;
  }
  EXPECT_EQ(of_discriminator, 12);
  EXPECT_GT(std::abs(all.at("discriminator.classifier.b").to_doubles()[0]), 1e-4);
}

TEST(Sassnet, TheHeadLearnsFromTheStartAndTheDiscriminatorAfterTheWarmUp) {
  const TrainingData data = small_data(true);
  const RunSettings s = small_settings("sassnet", true);
  Trainer trainer(s, data, {});
  while (!trainer.finished()) trainer.advance();
  for (const StepReport& r : trainer.reports()) {
    const auto& terms = r.values.terms;
    EXPECT_EQ(terms.size(), r.step > 2 ? 4u : 2u) << r.step;
    const double supervised = terms.at("sup") + 0.3 * terms.at("sdf");
    const double adversarial = r.step > 2 ? 0.01 * r.ramp * terms.at("adv") + terms.at("dis") : 0;
    EXPECT_NEAR(r.values.loss, supervised + adversarial, 1e-6);
  }
}

}  // namespace
}  // namespace sagcl::tests
