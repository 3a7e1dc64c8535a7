#include <algorithm>

#include "engine/devices/allocator.h"
#include "engine/devices/device_registry.h"
#include "semiagcl/evaluation/inference.h"

#include "layers/vnet.h"
#include "ops/layout.h"
#include "ops/softmax.h"
#include "semiagcl/evaluation/resample.h"
#include "semiagcl/evaluation/sliding_window.h"
#include "tests/support/golden.h"

// A volume's labels and probabilities come plane by plane and are those of the whole volume, bit for bit.
using namespace sagcl;
using namespace sagcl::semiagcl;
using autograd::Variable;
using engine::Device;
using engine::Dtype;
using engine::Shape;

namespace {

constexpr std::int64_t classes = 3;

float* numbers(layers::Module& m, const std::string& part) {
  return static_cast<float*>(layers::parameters_of(m).at(part)->value().bytes_begin());
}

std::unique_ptr<layers::Segmenter> network(const std::string& name, std::int64_t channels = 1) {
  engine::Generator random(4, "weights");
  auto made = layers::make_segmenter(name, {.in_channels = channels, .classes = classes, .width = 2}, random);
  std::fill_n(numbers(*made, "head.b"), classes, 0.0f);  // so that all classes occur
  return made;
}

struct Planes {
  std::vector<double> values;
  std::int64_t count = 0;
  PredictionEvents events() {
    return {[this](const Tensor& p) {
              count += p.shape()[0];
              const std::vector<double> v = p.to_doubles();
              values.insert(values.end(), v.begin(), v.end());
            },
            {}};
  }
};

std::vector<double> first_largest(const std::vector<double>& p) {
  std::vector<double> label;
  for (std::size_t i = 0; i < p.size(); i += classes)
    label.push_back(double(std::max_element(&p[i], &p[i] + classes) - &p[i]));
  return label;
}

/// A volume in one pass, padded with zeros, half of them (rounded down) before.
Tensor logits_of_whole(layers::Segmenter& net, const Tensor& image) {
  const autograd::NoGrad no_grad;
  const Shape& s = image.shape();
  Extents before, after, size;
  for (int a = 0; a < 3; ++a) {
    const std::int64_t missing = net.flat() && a == 0 ? 0 : (16 - s[a] % 16) % 16;
    before[a] = missing / 2, after[a] = missing - missing / 2, size[a] = s[a];
  }
  const Variable x = ops::pad(Variable(image.reshape({1, s[0], s[1], s[2], s[3]})), before, after);
  return ops::crop(net.forward(x, {}).logits, before, size).value();
}

Tensor labels_of(const Tensor& scores, const Shape& s) {
  return ops::most_likely(scores).to(Dtype::u8).reshape({s[0], s[1], s[2]});
}

}  // namespace

TEST(Predict, AVolumeThatIsStreamedHasTheLabelsOfOneThatIsNot) {
  const auto net = network("vnet");
  for (const Shape& s : {Shape{70, 33, 20, 1}, Shape{49, 16, 40, 1}, Shape{3, 5, 2, 1}}) {
    SCOPED_TRACE(fmt::format("{}", s));
    const Tensor image = tests::random_tensor(s, 3, Dtype::f32);
    const Tensor logits = logits_of_whole(*net, image), expected = labels_of(logits, s);
    const Tensor probabilities = ops::softmax(Variable(logits)).value();
    for (const std::int64_t floats : {std::int64_t(1) << 23, std::int64_t(2000)}) {  // whole, a few planes at a time
      dynamic_cast<layers::VNet&>(*net).streamed_floats = floats;
      Planes planes;
      std::int64_t last = 0, all = 0;
      PredictionEvents events = planes.events();
      events.progress = [&](std::int64_t done, std::int64_t total) {
        EXPECT_TRUE(last <= done && done <= total);
        last = done, all = total;
      };
      const Tensor label = predict(*net, image, {}, Device::cpu(), events);
      EXPECT_TRUE(tests::identical(label, expected));
      EXPECT_EQ(planes.values, probabilities.to_doubles());
      EXPECT_EQ(first_largest(planes.values), label.to_doubles());
      EXPECT_EQ(last, all);
    }
  }
}

TEST(Predict, WindowsAreAveragedPlaneByPlane) {
  const auto net = network("vnet", 2);
  RunSettings settings;
  settings.train.patch = {16, 32, 16}, settings.evaluation.stride = {8, 16, 5};
  for (const Shape& s : {Shape{37, 40, 21, 2}, Shape{9, 33, 16, 2}}) {
    const Tensor image = tests::random_tensor(s, 6, Dtype::f32);
    Planes planes;
    const Tensor label = predict(*net, image, settings, Device::cpu(), planes.events());
    std::vector<double> mean;
    const autograd::NoGrad no_grad;
    sliding_window(
        image, {.window = {{16, 32, 16}}, .stride = {{8, 16, 5}}},
        [&](const Tensor& x) { return ops::softmax(net->forward(Variable(x), {}).logits).value(); },
        [&](const Tensor& p) {
          const std::vector<double> v = p.to_doubles();
          mean.insert(mean.end(), v.begin(), v.end());
        });
    EXPECT_EQ(planes.values, mean);
    EXPECT_EQ(label.to_doubles(), first_largest(mean));
  }
}

TEST(Predict, ANetworkOfImagesSeesOnePlaneAfterTheOther) {
  const auto net = network("unet", 3);
  RunSettings settings;
  for (const std::int64_t order : {0, 1})
    for (const std::int64_t side : {0, 32}) {
      SCOPED_TRACE(fmt::format("resize {} order {}", side, order));
      settings.data.resize = side, settings.data.resize_order = order;
      const Shape s{4, 45, 28, 3};
      const Tensor image = tests::random_tensor(s, 9, Dtype::f32);
      Planes planes;
      const Tensor label = predict(*net, image, settings, Device::cpu(), planes.events());
      const Tensor resized = resized_image(image, settings.data);  // of the volume as a whole
      const Shape r = resized.shape();
      for (std::int64_t d = 0; d < s[0]; ++d) {
        const Tensor plane = ops::slice(Variable(resized), 0, d, 1).value();
        Tensor one = labels_of(logits_of_whole(*net, plane), {1, r[1], r[2]});
        if (side && order == 0) one = zoom_nearest(one, s[1], s[2]);
        for (std::int64_t i = 0; i < s[1] * s[2]; ++i) {
          const std::int64_t h = i / s[2], w = i % s[2];
          const std::int64_t at =
              side && order == 1 ? (2 * h + 1) * r[1] / (2 * s[1]) * r[2] + (2 * w + 1) * r[2] / (2 * s[2]) : i;
          ASSERT_EQ(label.data<std::uint8_t>()[d * s[1] * s[2] + i], one.data<std::uint8_t>()[at])
              << d << " " << h << " " << w;
        }
      }
      EXPECT_EQ(planes.count, s[0]);
      EXPECT_EQ(first_largest(planes.values), label.to_doubles());
      for (std::size_t i = 0; i < planes.values.size(); i += classes)
        ASSERT_NEAR(planes.values[i] + planes.values[i + 1] + planes.values[i + 2], 1, 1e-6);
    }
}

/// With data.spacing the network sees the resampled image, and its probabilities are brought back, whole or in windows.
TEST(Predict, AtASpacing) {
  const datasets::Spacing spacing = {3, 0.8, 1};
  constexpr std::array linear = {datasets::Interpolation::linear, datasets::Interpolation::linear,
                                 datasets::Interpolation::linear};
  for (const char* name : {"vnet", "unet"})
    for (const bool windows : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", name, windows));
      const auto net = network(name);
      const bool flat = net->flat();
      RunSettings settings;
      settings.network.name = name;
      settings.train.patch = {flat ? 1 : 16, 16, 16};
      if (windows) settings.evaluation.stride = {flat ? 1 : 8, 8, 8};
      settings.data.spacing = {flat ? 0.0 : 1.5, 1, 1};
      const Shape s{9, 30, 21, 1};
      const Tensor image = tests::random_tensor(s, 3, Dtype::f32);
      Planes planes;
      const Tensor label = predict(*net, image, settings, Device::cpu(), planes.events(), spacing);
      const Tensor seen = resized_image(image, settings.data, spacing);
      EXPECT_EQ(seen.shape(), Shape({flat ? 9 : 18, 24, 21, 1}));
      RunSettings as_it_is = settings;
      as_it_is.data.spacing = {};
      Planes at_network;
      predict(*net, seen, as_it_is, Device::cpu(), at_network.events());
      const std::vector<float> values(at_network.values.begin(), at_network.values.end());
      const Tensor p = Tensor::of<float>(seen.shape().with(3, classes), values);
      const Tensor expected = datasets::resampled(p, {{s[0], s[1], s[2]}}, linear);
      ASSERT_EQ(planes.values.size(), std::size_t(expected.size()));
      for (std::size_t i = 0; i < planes.values.size(); ++i)
        ASSERT_NEAR(planes.values[i], double(expected.data<float>()[i]), 1e-6);
      EXPECT_EQ(first_largest(planes.values), label.to_doubles());
    }
}

TEST(Predict, MemoryDoesNotGrowWithTheDepthBeyondTheLabel) {
  engine::CachingAllocator& memory = engine::allocator(Device::cpu());
  for (const bool windows : {false, true}) {
    const auto net = network("vnet");
    dynamic_cast<layers::VNet&>(*net).streamed_floats = 4096;
    RunSettings settings;
    settings.train.patch = {16, 32, 32};
    if (windows) settings.evaluation.stride = {8, 32, 32};
    const auto peak = [&](std::int64_t depth) {
      const Tensor image = tests::random_tensor({depth, 32, 32, 1}, 1, Dtype::f32);
      memory.empty_cache();  // a kept block may be larger than what is asked for
      memory.reset_peak();
      const std::size_t before = memory.statistics().in_use;
      const Tensor label = predict(*net, image, settings, Device::cpu());
      return memory.statistics().peak - before - label.bytes();
    };
    const std::size_t shallow = peak(400);
    EXPECT_LE(peak(800), shallow + 4096) << (windows ? "windows" : "streamed");
    EXPECT_LT(shallow, 400u * 32 * 32 * 2 * 4 * 6) << "as much as the features of the whole volume";
  }
}

// Two logits that differ by less than their probabilities can: the label is the larger's all the same.
TEST(Predict, ProbabilitiesAgreeWithTheLabelWhereTheyWouldBeEqual) {
  const auto net = network("unet");
  std::fill_n(numbers(*net, "head.w"), layers::parameters_of(*net).at("head.w")->value().size(), 0.0f);
  float* const bias = numbers(*net, "head.b");
  bias[0] = 100, bias[1] = 50, bias[2] = std::nextafter(100.0f, 200.0f);
  Planes planes;
  const Tensor label = predict(*net, Tensor::zeros({1, 16, 16, 1}), {}, Device::cpu(), planes.events());
  EXPECT_EQ(label.to_doubles(), std::vector<double>(256, 2));
  EXPECT_EQ(first_largest(planes.values), label.to_doubles());
  EXPECT_NEAR(planes.values[0], 0.5, 1e-4);
}
