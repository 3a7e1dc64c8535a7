// Activations in bf16, kept so until their backward or handed on so between layers: less memory, results that differ by the
// rounding alone.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/devices/device_registry.h"
#include "engine/devices/precision.h"
#include "engine/parallel.h"
#include "layers/segmenter.h"
#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/dice.h"
#include "ops/softmax.h"
#include "ops/storage.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using engine::Precision;

struct Step {
  Tensor loss;
  std::map<std::string, Tensor> gradients;
  std::size_t held = 0;  ///< bytes between forward and backward
};

Step step_of(const std::string& name, const std::string& storage, Precision precision = Precision::fp32) {
  engine::Generator random(5, "network");
  const auto network = layers::make_segmenter(name, {.in_channels = 1, .classes = 2, .width = 8}, random);
  const engine::Shape shape = name == "unet" ? engine::Shape{2, 1, 64, 64, 1} : engine::Shape{1, 32, 32, 32, 1};
  const Tensor image = random_tensor(shape, 2, engine::Dtype::f32);
  Tensor label = Tensor::zeros({shape[0], shape[1], shape[2], shape[3]}, engine::Dtype::i32);
  for (std::int64_t i = 0; i < label.size(); ++i) label.data<std::int32_t>()[i] = image.data<float>()[i] > 0.3f;
  const auto in_use = [] { return engine::allocator(engine::Device::cpu()).statistics().in_use; };
  Step step;
  engine::set_precision(precision);
  const std::size_t before = in_use();
  autograd::Tape tape({.keep = ops::storage(storage)});
  autograd::Variable loss;
  {
    const autograd::Variable z = network->forward(autograd::Variable(image), {.training = true, .random = &random}).logits;
    loss = ops::add(ops::cross_entropy(z, label), ops::dice_loss(ops::softmax(z), label));
  }
  step.held = in_use() - before;
  tape.backward(loss);
  engine::set_precision(Precision::fp32);
  step.loss = loss.value();
  for (const auto& [parameter, v] : layers::parameters_of(*network)) step.gradients[parameter] = v->grad();
  return step;
}

/// Of the gradients of all parameters together.
double difference(const Step& some, const Step& expected) {
  double squares = 0, all = 0;
  for (const auto& [name, gradient] : expected.gradients) {
    const std::vector<double> a = gradient.to_doubles(), b = some.gradients.at(name).to_doubles();
    for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]), all += a[i] * a[i];
  }
  return std::sqrt(squares / all);
}

class StorageOf : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Networks, StorageOf, testing::Values("unet", "vnet"));

TEST_P(StorageOf, ActivationsInBf16TakeLessAndChangeGradientsByTheirRounding) {
  const Step whole = step_of(GetParam(), "f32"), half = step_of(GetParam(), "bf16");
  EXPECT_TRUE(identical(whole.loss, half.loss));  // the forward pass is the same
  EXPECT_LT(half.held, whole.held * 3 / 5);
  EXPECT_GT(difference(half, whole), 0);
  // A rounding of 2^-9 moves a few voxels in a thousand across the corner of a ReLU, and the root of their share is what the
  // gradient differs by; V-Net is three times as deep.
  EXPECT_LT(difference(half, whole), GetParam() == std::string("unet") ? 0.03 : 0.12);
}

TEST_P(StorageOf, LayersThatHandOnBf16DifferByItsRoundingEverywhere) {
  const Step whole = step_of(GetParam(), "f32"), half = step_of(GetParam(), "f32", Precision::bf16);
  EXPECT_EQ(half.loss.dtype(), engine::Dtype::f32);
  EXPECT_NEAR(half.loss.item(), whole.loss.item(), 0.005 * whole.loss.item());
  EXPECT_LT(half.held, whole.held * 3 / 5);
  EXPECT_GT(difference(half, whole), 0);
  // On noise, in V-Net with eight values to a statistic in the deepest stage. PyTorch's autocast differs by 0.06 and 0.75.
  EXPECT_LT(difference(half, whole), GetParam() == std::string("unet") ? 0.2 : 0.9);
  Step near_loss = whole;
  std::erase_if(near_loss.gradients, [](const auto& g) { return !g.first.starts_with("head"); });
  EXPECT_LT(difference(half, near_loss), 0.01);
}

TEST_P(StorageOf, Bf16HasTheSameBitsOnAnyNumberOfThreads) {
  const int before = engine::threads();
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    engine::set_threads(1);
    const Step one = step_of(GetParam(), "bf16", precision);
    for (const int threads : {2, 8}) {
      engine::set_threads(threads);
      const Step other = step_of(GetParam(), "bf16", precision);
      for (const auto& [name, gradient] : one.gradients) EXPECT_TRUE(identical(gradient, other.gradients.at(name))) << name;
    }
  }
  engine::set_threads(before);
}

}  // namespace
}  // namespace sagcl::tests
