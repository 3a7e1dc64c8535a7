// Both networks against another implementation: parameter counts, logits, every stage, gradients, running statistics,
// five steps of Adam and SGD.
#include <gtest/gtest.h>

#include "layers/optimiser.h"
#include "layers/segmenter.h"
#include "layers/unet.h"
#include "layers/vnet.h"
#include "ops/arithmetic.h"
#include "ops/cross_entropy.h"
#include "ops/dice.h"
#include "ops/softmax.h"
#include "tests/cases/kernel_cases.h"
#include "tests/layers/network_golden.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;
using layers::Pass;

constexpr Pass train_pass{.training = true, .dropout = false};

/// 0.5 (CE + D2): the foreground channel alone for the V-Net, the mean over all channels for the U-Net.
Variable loss_of(const Variable& z, const Tensor& label, bool unet) {
  const Variable dice = ops::dice_loss(ops::softmax(z), label, {.first_channel = unet ? 0 : 1});
  return ops::scale(ops::add(ops::cross_entropy(z, label), dice), 0.5);
}

template <class Net>
std::unique_ptr<Net> make(const Golden& golden, std::int64_t width, std::int64_t classes, Dtype dtype) {
  engine::Generator random(0, "test");
  auto net = std::make_unique<Net>(layers::SegmenterSpec{.classes = classes, .width = width}, random);
  layers::convert_to(*net, dtype);
  apply_recipe(*net, golden);
  return net;
}

std::vector<Tensor> values_of(layers::Module& net) {
  std::vector<Tensor> v;
  for (auto& [name, p] : layers::parameters_in_order(net)) v.push_back(p->value());
  return v;
}
std::vector<Tensor> gradients_of(layers::Module& net) {
  std::vector<Tensor> v;
  for (auto& [name, p] : layers::parameters_in_order(net)) v.push_back(p->grad());
  return v;
}
std::vector<Tensor> running_of(layers::Module& net) {
  std::vector<Tensor> v;
  for (auto& [name, b] : layers::buffers_in_order(net)) v.push_back(*b);
  return v;
}

struct Tolerances {
  double logits, gradients, running;
  bool whole_scale = false;
};

template <class Net>
void one_step(const std::string& file, std::int64_t width, std::int64_t classes, Dtype dtype, const Tolerances& t) {
  const Golden golden(file);
  const bool unet = std::is_same_v<Net, layers::UNet>;
  auto net = make<Net>(golden, width, classes, dtype);
  EXPECT_TRUE(fingerprints_match(values_of(*net), golden.get("init.fp"), 1e-12));
  const Variable x(golden.get("x", dtype));
  const Tensor label = golden.get("label", Dtype::i32);
  {
    layers::Stages stages;
    Pass pass = train_pass;
    pass.stages = &stages;
    Tape tape;
    const Variable z = net->forward(x, pass).logits;
    const Variable loss = loss_of(z, label, unet);
    EXPECT_TRUE(fingerprints_match({z.value()}, golden.get("logits.fp"), t.logits));
    EXPECT_NEAR(loss.value().item(), golden.number("loss"), t.logits * 10);
    std::vector<Tensor> outputs;
    for (const auto& half : {stages.encoder, stages.decoder})
      for (const Variable& s : half) outputs.push_back(s.value());
    EXPECT_TRUE(fingerprints_match(outputs, golden.get("stage.fp"), t.logits));
    stages = {};
    tape.backward(loss);
  }
  EXPECT_TRUE(fingerprints_match(gradients_of(*net), golden.get("grad.fp"), t.gradients, t.whole_scale,
                                 golden.integers("attr.zero_grad_bias")));
  EXPECT_TRUE(fingerprints_match(running_of(*net), golden.get("running.fp"), t.running));
  const Variable eval = net->forward(x, Pass{}).logits;
  EXPECT_TRUE(fingerprints_match({eval.value()}, golden.get("eval_logits.fp"), t.logits * 10));
}

TEST(Networks, unet_one_step_f64) { one_step<layers::UNet>("net_unet", 4, 4, Dtype::f64, {1e-11, 1e-11, 1e-11}); }
TEST(Networks, unet_one_step_f32) { one_step<layers::UNet>("net_unet", 4, 4, Dtype::f32, {3e-5, 1e-2, 1e-4, true}); }
TEST(Networks, unet_micro_f64) { one_step<layers::UNet>("net_unet_micro", 1, 4, Dtype::f64, {1e-11, 1e-9, 1e-11, true}); }
TEST(Networks, vnet_one_step_f64) { one_step<layers::VNet>("net_vnet", 4, 2, Dtype::f64, {1e-10, 1e-9, 1e-9, true}); }
TEST(Networks, vnet_one_step_f32) { one_step<layers::VNet>("net_vnet", 4, 2, Dtype::f32, {2e-3, 0.1, 2e-3, true}); }
TEST(Networks, vnet_micro_f64) { one_step<layers::VNet>("net_vnet_micro", 1, 2, Dtype::f64, {1e-9, 1e-9, 1e-9, true}); }
TEST(Networks, vnet_wide_f64) { one_step<layers::VNet>("net_vnet_wide", 4, 2, Dtype::f64, {1e-11, 1e-11, 1e-11, true}); }
TEST(Networks, vnet_wide_f32) { one_step<layers::VNet>("net_vnet_wide", 4, 2, Dtype::f32, {1e-4, 2e-2, 1e-4, true}); }

template <class Net, class Optimiser>
void five_steps(const std::string& file, const std::string& rule, Optimiser&& make_optimiser, double lr,
                std::int64_t classes, double loss_tolerance, double weight_tolerance) {
  const Golden start(file), golden(file + "_steps");
  const bool unet = std::is_same_v<Net, layers::UNet>;
  auto net = make<Net>(start, 4, classes, Dtype::f64);
  auto optimiser = make_optimiser(*net);
  const Variable x(start.get("x", Dtype::f64));
  const Tensor label = start.get("label", Dtype::i32);
  const std::vector<double> losses = golden.get(rule + ".losses").to_doubles();
  for (double expected : losses) {
    {
      Tape tape;
      const Variable loss = loss_of(net->forward(x, train_pass).logits, label, unet);
      EXPECT_NEAR(loss.value().item(), expected, loss_tolerance);
      tape.backward(loss);
    }
    optimiser.step(lr);
  }
  EXPECT_TRUE(fingerprints_match(values_of(*net), golden.get(rule + ".final.fp"), weight_tolerance));
}

TEST(Networks, unet_five_adam_steps) {
  five_steps<layers::UNet>(
      "net_unet", "adam", [](layers::Module& m) { return layers::Adam(layers::parameters_of(m)); }, 1e-3, 4, 1e-10, 1e-7);
}
TEST(Networks, unet_five_sgd_steps) {
  five_steps<layers::UNet>(
      "net_unet", "sgd",
      [](layers::Module& m) { return layers::Sgd(layers::parameters_of(m), {.momentum = 0.9, .weight_decay = 1e-4}); }, 1e-2,
      4, 1e-11, 1e-9);
}
TEST(Networks, vnet_five_adam_steps) {
  five_steps<layers::VNet>(
      "net_vnet_wide", "adam", [](layers::Module& m) { return layers::Adam(layers::parameters_of(m)); }, 1e-3, 2, 1e-9,
      1e-6);
}
TEST(Networks, vnet_five_sgd_steps) {
  five_steps<layers::VNet>(
      "net_vnet_wide", "sgd",
      [](layers::Module& m) { return layers::Sgd(layers::parameters_of(m), {.momentum = 0.9, .weight_decay = 1e-4}); }, 1e-2,
      2, 1e-10, 1e-8);
}

/// The decoder's weights of a network, by name.
void copy_decoder(layers::Module& net, layers::Module& decoder) {
  const auto parameters = layers::parameters_of(net);
  const auto buffers = layers::buffers_of(net);
  for (auto& [name, p] : layers::parameters_in_order(decoder)) p->value_for_update().copy_from(parameters.at(name)->value());
  for (auto& [name, b] : layers::buffers_in_order(decoder)) b->copy_from(*buffers.at(name));
}

std::int64_t count(const std::string& name, std::int64_t in, std::int64_t classes, std::int64_t width) {
  engine::Generator random(0, "test");
  return layers::count_parameters(
      *layers::make_segmenter(name, {.in_channels = in, .classes = classes, .width = width}, random));
}

TEST(Networks, parameter_counts_of_the_paper) {
  EXPECT_EQ(count("vnet", 1, 2, 16), 9448866);
  EXPECT_EQ(count("vnet", 1, 1, 16), 9448849);
  EXPECT_EQ(count("unet", 1, 4, 16), 1813764);
  EXPECT_EQ(count("unet", 1, 2, 16), 1813474);
  EXPECT_EQ(count("unet", 3, 2, 16), 1813762);
  EXPECT_EQ(count("vnet", 1, 2, 4), 592218);
  EXPECT_EQ(count("unet", 1, 4, 1), 7404);
}

/// Table VI and the code of MC-Net: the second decoder is linear (vnet) or transposed (unet), the third nearest.
TEST(Networks, further_decoders_have_the_parameters_of_mc_net) {
  engine::Generator random(0, "test");
  const auto extra = [&](const std::string& name, std::int64_t classes, layers::Upsampling upsampling) {
    return layers::count_parameters(*layers::make_decoder(name, {.classes = classes}, upsampling, random));
  };
  const std::int64_t vnet = count("vnet", 1, 2, 16), unet = count("unet", 1, 4, 16);
  EXPECT_EQ(vnet + extra("vnet", 2, layers::Upsampling::linear), 12347716);
  EXPECT_EQ(vnet + 2 * extra("vnet", 2, layers::Upsampling::nearest), 15246566);
  EXPECT_EQ(unet + extra("unet", 4, layers::Upsampling::transposed), 2577624);
  EXPECT_EQ(unet + extra("unet", 4, layers::Upsampling::transposed) + extra("unet", 4, layers::Upsampling::nearest),
            3210924);
}

/// The last so many steps halve an axis; of images D stays.
TEST(Networks, axes_are_halved_as_often_as_the_spec_says) {
  for (const bool flat : {false, true}) {
    engine::Generator random(0, "test");
    const layers::SegmenterSpec spec{.classes = 3, .width = 2, .halvings = {{1, 4, 2}}};
    auto net = layers::make_segmenter(flat ? "unet" : "vnet", spec, random);
    const std::int64_t depth = flat ? 1 : 6;
    EXPECT_EQ(net->stride(), (engine::Extents{{flat ? 1 : 2, 16, 4}}));
    const Variable x(normal_values({1, depth, 32, 12, 1}, Dtype::f32, "x"));
    layers::Stages stages;
    const layers::Segmentation s = net->forward(x, {.stages = &stages});
    EXPECT_EQ(s.logits.shape(), engine::Shape({1, depth, 32, 12, 3}));
    const std::vector<engine::Extents> extents = {{{6, 32, 12}}, {{6, 16, 12}}, {{6, 8, 12}}, {{6, 4, 6}}, {{3, 2, 3}}};
    for (std::size_t l = 0; l < 5; ++l)
      EXPECT_EQ(stages.encoder[l].shape(),
                engine::Shape({1, flat ? 1 : extents[l][0], extents[l][1], extents[l][2], 2 << l}));
    EXPECT_EQ(net->encode(x, {}).shape(), s.bottleneck.shape());
  }
}

/// A decoder of the network's own kind gives the network's logits; of another kind, logits of the same shape.
TEST(Networks, decoders_take_the_outputs_of_the_encoder) {
  for (const auto& [flat, halvings] : std::initializer_list<std::pair<bool, engine::Extents>>{
           {false, {{4, 4, 4}}}, {true, {{4, 4, 4}}}, {false, {{2, 3, 4}}}, {true, {{0, 3, 4}}}}) {
    engine::Generator random(0, "test");
    const std::string name = flat ? "unet" : "vnet";
    const layers::SegmenterSpec spec{.width = 2, .halvings = halvings};
    auto net = layers::make_segmenter(name, spec, random);
    const Variable x(
        normal_values(flat ? engine::Shape{2, 1, 32, 16, 1} : engine::Shape{2, 16, 32, 16, 1}, Dtype::f32, "x"));
    layers::Stages stages;
    const Variable logits = net->forward(x, {.stages = &stages}).logits;
    ASSERT_EQ(stages.encoder.size(), 5u);
    ASSERT_EQ(stages.decoder.size(), 4u);
    EXPECT_EQ(stages.features.shape(), logits.shape().with(4, 2));
    for (const auto upsampling : {layers::Upsampling::transposed, layers::Upsampling::linear, layers::Upsampling::nearest}) {
      auto decoder = layers::make_decoder(name, spec, upsampling, random);
      const bool own = upsampling == (flat ? layers::Upsampling::linear : layers::Upsampling::transposed);
      if (own) copy_decoder(*net, *decoder);
      const Variable other = decoder->forward(stages.encoder, {});
      EXPECT_EQ(other.shape(), logits.shape());
      EXPECT_EQ(bool(identical(other.value(), logits.value())), own);
    }
  }
}

TEST(Networks, wrong_extents_say_the_rule) {
  engine::Generator random(0, "test");
  auto net = layers::make_segmenter("vnet", {.width = 1}, random);
  try {
    net->forward(Variable(Tensor::zeros({1, 16, 20, 16, 1})), Pass{});
    FAIL() << "20 is not divisible by 16";
  } catch (const engine::ShapeError& e) {
    EXPECT_NE(std::string(e.what()).find("divisible by 16"), std::string::npos) << e.what();
  }
  EXPECT_THROW(layers::make_segmenter("resnet", {}, random), engine::UsageError);
}

}  // namespace
}  // namespace sagcl::tests
