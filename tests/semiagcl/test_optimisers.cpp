#include <gtest/gtest.h>

#include <cmath>

#include "layers/conv_layer.h"
#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/reduce.h"
#include "semiagcl/training/training_step.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using Doubles = std::vector<double>;

datasets::Batch batch() {
  datasets::Batch b;
  b.labelled = 1;
  engine::Generator random(3, "batch");
  b.strong = Tensor::zeros({1, 1, 32, 32, 1});
  b.label = Tensor::zeros({1, 1, 32, 32}, engine::Dtype::i32);
  for (std::int64_t i = 0; i < b.strong.size(); ++i) {
    b.label.data<std::int32_t>()[i] = i / 32 < 16;
    b.strong.data<float>()[i] = float(random.normal() + double(i / 32 < 16));
  }
  b.weak = b.strong;
  return b;
}

/// A student and a discriminator of one convolution over its scores, which has an Adam of its own.
struct Adversaries {
  engine::Generator random{5, "weights"};
  RunSettings settings;
  std::unique_ptr<layers::Segmenter> student =
      layers::make_segmenter("unet", {.in_channels = 1, .classes = 2, .width = 2}, random);
  layers::ConvLayer discriminator{{.in = 2, .out = 1, .kernel = {{1, 1, 1}}}, random};
  Phase phase{.name = "adversarial"};

  explicit Adversaries(bool adversarial = true, bool discriminating = true) {
    phase.trained = {
        {"discriminator", &discriminator, TrainedModule::OwnAdam{.learning_rate = 0.5, .spec = {.beta1 = 0.8}}}};
    phase.objective = [=, this](StepInput& in) {
      const Variable logits = in.forward(in.batch.strong).logits;
      std::vector<Term> terms{{"sup", ops::cross_entropy(logits, in.batch.label)}};
      {
        const layers::Frozen frozen(discriminator);  // fools it, and teaches it nothing
        if (adversarial) terms.push_back({"adv", ops::mean(discriminator.forward(logits)), 0.25});
      }
      const Variable judged = discriminator.forward(logits.detach());  // learns, and leaves the student alone
      terms.push_back({"dis", ops::mean(ops::square(judged)), discriminating ? 1.0 : 1e-9});
      return terms;
    };
  }
};

layers::NamedGradients gradients_of(Adversaries& a) {
  TrainingStep work(a.settings, *a.student, a.phase, engine::Device::cpu());
  work.take(batch());
  work.prepare({.learning_rate = 1e-3});
  work.differentiate(engine::Generator(1, "step"));
  return work.gradients();
}

double sum_of_absolutes(const Tensor& t) {
  double sum = 0;
  for (double v : t.to_doubles()) sum += std::abs(v);
  return sum;
}

}  // namespace

TEST(Optimisers, EachLossDrivesItsOwnModules) {
  Adversaries both, alone(false), untaught(true, false);
  const layers::NamedGradients g = gradients_of(both), without = gradients_of(alone), quiet = gradients_of(untaught);
  // The discriminator learns from "dis" alone, the student from everything but "dis".
  EXPECT_EQ(g.at("discriminator.w").to_doubles(), without.at("discriminator.w").to_doubles());
  EXPECT_GT(sum_of_absolutes(g.at("discriminator.w")), 1e-3);
  EXPECT_LT(sum_of_absolutes(quiet.at("discriminator.w")), 1e-6);
  EXPECT_EQ(g.at("head.w").to_doubles(), quiet.at("head.w").to_doubles());
  // "adv" reaches the student through the frozen discriminator: 0.25 / voxels · w of each class, at the head's bias.
  const Doubles w = both.discriminator.forward(Variable(Tensor::of<float>({1, 1, 1, 1, 2}, {1, 0}))).value().to_doubles();
  const Doubles b = both.discriminator.forward(Variable(Tensor::of<float>({1, 1, 1, 1, 2}, {0, 0}))).value().to_doubles();
  EXPECT_NEAR(g.at("head.b").to_doubles()[0] - without.at("head.b").to_doubles()[0], 0.25 * (w[0] - b[0]), 1e-6);
}

TEST(Optimisers, AnOwnAdamKeepsItsLearningRate) {
  Adversaries a;
  TrainingStep work(a.settings, *a.student, a.phase, engine::Device::cpu());
  work.take(batch());
  work.prepare({.learning_rate = 1e-3});
  work.differentiate(engine::Generator(1, "step"));
  const Doubles before = layers::parameters_of(a.discriminator).at("b")->value().to_doubles();
  const Doubles head = layers::parameters_of(*a.student).at("head.b")->value().to_doubles();
  work.update(work.gradients(), {work.found()});
  // The first step of Adam is lr · sign of the gradient.
  EXPECT_NEAR(std::abs(layers::parameters_of(a.discriminator).at("b")->value().to_doubles()[0] - before[0]), 0.5, 1e-3);
  EXPECT_NEAR(std::abs(layers::parameters_of(*a.student).at("head.b")->value().to_doubles()[0] - head[0]), 1e-3, 1e-5);
}

TEST(Optimisers, NamesMayNotCollide) {
  Adversaries a;
  a.phase.trained.front().name = "head";  // the network has a head.w
  EXPECT_TRUE(throws<engine::UsageError>([&] { TrainingStep(a.settings, *a.student, a.phase, engine::Device::cpu()); },
                                         "two parameters are called head."));
}

TEST(Optimisers, StateOfAllComesBack) {
  Adversaries a, b;
  TrainingStep first(a.settings, *a.student, a.phase, engine::Device::cpu());
  const auto step = [](TrainingStep& work, std::uint64_t number) {
    work.take(batch());
    work.prepare({.learning_rate = 1e-3});
    work.differentiate(engine::Generator(number, "step"));
    work.update(work.gradients(), {work.found()});
  };
  step(first, 1);
  std::map<std::string, Tensor> state = first.optimisers().state();
  EXPECT_EQ(state.count("first/discriminator.w"), 1u);
  EXPECT_EQ(state.count("second/head.w"), 1u);
  EXPECT_EQ(state.at("steps").item(), 1);
  for (auto& [name, t] : state) t = t.clone();
  layers::copy_weights(*a.student, *b.student), layers::copy_weights(a.discriminator, b.discriminator);
  TrainingStep second(b.settings, *b.student, b.phase, engine::Device::cpu());
  second.optimisers().load_state(state);
  step(first, 2), step(second, 2);
  for (const auto& [name, p] : layers::parameters_of(*a.student))
    EXPECT_EQ(p->value().to_doubles(), layers::parameters_of(*b.student).at(name)->value().to_doubles()) << name;
  for (const auto& [name, p] : layers::parameters_of(a.discriminator))
    EXPECT_EQ(p->value().to_doubles(), layers::parameters_of(b.discriminator).at(name)->value().to_doubles()) << name;

  state["first/stranger"] = state.at("steps");
  EXPECT_TRUE(throws<engine::DataError>([&] { second.optimisers().load_state(state); }, "first/stranger"));
}

}  // namespace sagcl::tests
