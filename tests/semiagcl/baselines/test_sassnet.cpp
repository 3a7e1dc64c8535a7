#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "semiagcl/baselines/sassnet.h"
#include "semiagcl/training/training_step.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using engine::Dtype;

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
