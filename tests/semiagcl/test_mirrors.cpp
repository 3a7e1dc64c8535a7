#include "semiagcl/evaluation/mirrors.h"

#include <cmath>

#include "engine/devices/allocator.h"
#include "engine/devices/device_registry.h"
#include "layers/vnet.h"
#include "ops/layout.h"
#include "ops/softmax.h"
#include "semiagcl/evaluation/inference.h"
#include "tests/support/golden.h"

// Test-time augmentation: the mean over an image and its mirror images.
using namespace sagcl;
using namespace sagcl::semiagcl;
using autograd::Variable;
using engine::Device;
using engine::Dtype;
using engine::Shape;

namespace {

using Axes = std::vector<std::string>;

std::unique_ptr<layers::Segmenter> a_network(const std::string& name) {
  engine::Generator random(4, "weights");
  return layers::make_segmenter(name, {.in_channels = 1, .classes = 3, .width = 2}, random);
}

/// The probabilities [D, H, W, 3] that predict() tells, mirrored along `mirror` by evaluation.mirror.
Tensor probabilities(layers::Segmenter& net, const Tensor& image, RunSettings settings, const Axes& mirror) {
  settings.network.name = net.flat() ? "unet" : "vnet";
  settings.evaluation.mirror = mirror;
  std::vector<double> values;
  const Tensor label = predict(net, image, settings, Device::cpu(),
                               {[&](const Tensor& planes) {
                                  const auto v = planes.to_doubles();
                                  values.insert(values.end(), v.begin(), v.end());
                                },
                                {}});
  const Tensor p = Tensor::of(image.shape().with(3, 3), values).to(Dtype::f32);
  EXPECT_TRUE(tests::identical(ops::most_likely(p).to(Dtype::u8).reshape(label.shape()), label));
  return p;
}

/// [D, H, W, C], mirrored voxel by voxel.
Tensor turned(const Tensor& x, const Mirror& m) {
  const Shape& s = x.shape();
  Tensor out = Tensor::empty(s);
  for (std::int64_t d = 0; d < s[0]; ++d)
    for (std::int64_t h = 0; h < s[1]; ++h)
      for (std::int64_t w = 0; w < s[2]; ++w)
        for (std::int64_t c = 0; c < s[3]; ++c)
          out.data<float>()[((d * s[1] + h) * s[2] + w) * s[3] + c] =
              x.data<float>()[(((m[0] ? s[0] - 1 - d : d) * s[1] + (m[1] ? s[1] - 1 - h : h)) * s[2] +
                               (m[2] ? s[2] - 1 - w : w)) *
                                  s[3] +
                              c];
  return out;
}

/// By definition, from plain predictions of the mirrored images.
Tensor mean_of_plain(layers::Segmenter& net, const Tensor& image, const RunSettings& settings, const Mirror& axes) {
  std::vector<double> sum(std::size_t(image.size() * 3), 0.0);
  const std::vector<Mirror> all = mirrors_along(axes);
  for (const Mirror& m : all) {
    const std::vector<double> p = turned(probabilities(net, turned(image, m), settings, {}), m).to_doubles();
    for (std::size_t i = 0; i < p.size(); ++i) sum[i] += p[i] / double(all.size());
  }
  return Tensor::of(image.shape().with(3, 3), sum);
}

}  // namespace

TEST(Mirrors, AllCombinationsTheOneWithoutFirst) {
  EXPECT_EQ(mirrors_along({false, false, false}), (std::vector<Mirror>{{false, false, false}}));
  EXPECT_EQ(mirrors_along({true, false, true}),
            (std::vector<Mirror>{{false, false, false}, {true, false, false}, {false, false, true}, {true, false, true}}));
  EXPECT_EQ(mirrors_along({true, true, true}).size(), 8u);
}

TEST(Mirrors, ByHand) {
  const Tensor x = Tensor::of<float>({1, 1, 2, 3, 1}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(mirrored(x, {false, false, true}).to_doubles(), (std::vector<double>{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(mirrored(x, {true, true, false}).to_doubles(), (std::vector<double>{4, 5, 6, 1, 2, 3}));
  // A "network" that adds the column's number: along W the mirror image, mirrored back, got 2, 1, 0 in place of 0, 1, 2.
  const auto columns = [](const Tensor& y) {
    Tensor out = y.clone();
    for (std::int64_t i = 0; i < 6; ++i) out.data<float>()[i] += float(i % 3);
    return out;
  };
  EXPECT_EQ(mean_over_mirrors(x, mirrors_along({false, false, true}), columns).to_doubles(),
            (std::vector<double>{2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(mean_over_mirrors(x, mirrors_along({}), columns).to_doubles(), columns(x).to_doubles());
}

TEST(Mirrors, OfWholeImagesAsByDefinition) {
  const auto volumes = a_network("vnet"), planes = a_network("unet");
  for (const std::int64_t floats : {std::int64_t(1) << 23, std::int64_t(2000)}) {  // whole, a few planes at a time
    dynamic_cast<layers::VNet&>(*volumes).streamed_floats = floats;
    const Tensor image = tests::random_tensor({35, 17, 20, 1}, 3, Dtype::f32);
    EXPECT_TRUE(tests::close(probabilities(*volumes, image, {}, {"D", "W"}),
                             mean_of_plain(*volumes, image, {}, {true, false, true}), 1e-6));
  }
  const Tensor image = tests::random_tensor({3, 21, 32, 1}, 5, Dtype::f32);
  EXPECT_TRUE(tests::close(probabilities(*planes, image, {}, {"H", "W"}),
                           mean_of_plain(*planes, image, {}, {false, true, true}), 1e-6));
}

// Windows of 16 every 8 in 32 lie where they lay when the volume is mirrored.
TEST(Mirrors, OfWindowsAsByDefinitionWithEitherBlending) {
  const auto net = a_network("vnet");
  RunSettings settings;
  settings.train.patch = {16, 16, 16}, settings.evaluation.stride = {8, 16, 8};
  const Tensor image = tests::random_tensor({32, 16, 24, 1}, 3, Dtype::f32);
  for (const char* blending : {"mean", "gaussian"}) {
    settings.evaluation.blending = blending;
    EXPECT_TRUE(tests::close(probabilities(*net, image, settings, {"D", "H", "W"}),
                             mean_of_plain(*net, image, settings, {true, true, true}), 1e-6));
  }
}

TEST(Mirrors, AMirroredImageHasTheMirroredProbabilities) {
  const auto net = a_network("vnet");
  const Tensor image = tests::random_tensor({19, 16, 23, 1}, 7, Dtype::f32);
  for (const Mirror& m : mirrors_along({true, true, true})) {
    const Tensor one = turned(probabilities(*net, image, {}, {"D", "H", "W"}), m);
    EXPECT_TRUE(tests::close(probabilities(*net, turned(image, m), {}, {"D", "H", "W"}), one, 1e-6));
  }
  const Mirror along_w = {false, false, true};
  const Tensor plain = turned(probabilities(*net, image, {}, {}), along_w);
  EXPECT_FALSE(tests::close(probabilities(*net, turned(image, along_w), {}, {}), plain, 1e-3)) << "which is not so without";
}

TEST(Mirrors, OfAPassWithoutMirrorsNoBitChanges) {
  const auto net = a_network("vnet");
  const Tensor image = tests::random_tensor({16, 32, 16, 1}, 2, Dtype::f32);
  const Tensor p = probabilities(*net, image, {}, {});
  const autograd::NoGrad no_grad;
  const Variable logits = net->forward(Variable(image.reshape({1, 16, 32, 16, 1})), {}).logits;
  EXPECT_EQ(p.to_doubles(), ops::softmax(logits).value().to_doubles());
}

TEST(Mirrors, MemoryDoesNotGrowWithTheirNumber) {
  engine::CachingAllocator& memory = engine::allocator(Device::cpu());
  const auto net = a_network("vnet");
  const Tensor image = tests::random_tensor({64, 32, 32, 1}, 1, Dtype::f32);
  for (const bool windows : {false, true}) {
    RunSettings settings;
    settings.train.patch = {16, 32, 32};
    if (windows) settings.evaluation.stride = {8, 32, 32};
    const auto peak = [&](const Axes& mirror) {
      settings.evaluation.mirror = mirror;
      memory.empty_cache();  // a kept block may be larger than what is asked for
      memory.reset_peak();
      const std::size_t before = memory.statistics().in_use;
      (void)predict(*net, image, settings, Device::cpu());
      return memory.statistics().peak - before;
    };
    EXPECT_EQ(peak({"D", "H", "W"}), peak({"H"})) << (windows ? "windows" : "whole");
    EXPECT_GE(peak({"H"}), peak({}));
  }
}

TEST(Mirrors, ProgressGoesToTheEndOnce) {
  for (const bool windows : {false, true}) {
    const auto net = a_network("vnet");
    RunSettings settings;
    settings.train.patch = {16, 16, 16}, settings.evaluation.mirror = {"H", "W"};
    if (windows) settings.evaluation.stride = {8, 8, 8};
    std::int64_t last = 0, all = 0;
    const auto progress = [&](std::int64_t done, std::int64_t total) {
      EXPECT_TRUE(last <= done && done <= total && (all == 0 || all == total));
      last = done, all = total;
    };
    (void)predict(*net, tests::random_tensor({40, 16, 16, 1}, 1, Dtype::f32), settings, Device::cpu(), {{}, progress});
    EXPECT_EQ(last, all);
  }
}

TEST(Mirrors, WhatWouldDoNothingIsRefused) {
  RunSettings s;
  EXPECT_NO_THROW(check_prediction(s));
  const auto refused = [&](const std::string& part) {
    try {
      check_prediction(s);
      FAIL() << "accepted; expected: " << part;
    } catch (const engine::UsageError& e) { EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what(); }
  };
  s.evaluation.blending = "gaussian";
  refused("evaluation.stride = [] predicts whole images, so there are no windows to blend");
  s.evaluation.stride = {8, 8, 8};
  EXPECT_NO_THROW(check_prediction(s));
  s.evaluation.blending = "max";
  refused("evaluation.blending = 'max': choose mean or gaussian");
  s.evaluation.blending = "mean", s.evaluation.mirror = {"X"};
  refused("evaluation.mirror: 'X' is not one of D, H, W");
  s.evaluation.mirror = {"D", "W"};
  EXPECT_NO_THROW(check_prediction(s));
  s.network.name = "unet";
  refused("evaluation.mirror = [D, W]: unet sees one plane at a time, which has no axis D");
}
