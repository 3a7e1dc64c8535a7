#include <algorithm>

#include "layers/vnet.h"
#include "ops/layout.h"
#include "tests/support/golden.h"

// A network that sees a volume a few planes at a time gives the bits that it gives when it sees it whole.
using namespace sagcl;
using autograd::Variable;
using engine::Tensor;

namespace {

/// Weights and statistics as after some training: nothing is 0 or 1.
void stir(layers::Module& network) {
  engine::Generator random(7, "stir");
  for (const auto& [name, buffer] : layers::buffers_in_order(network)) {
    *buffer = tests::random_tensor(buffer->shape(), 11, engine::Dtype::f32);
    for (std::int64_t i = 0; name.ends_with("var") && i < buffer->size(); ++i)
      buffer->data<float>()[i] = 0.5f + buffer->data<float>()[i] * buffer->data<float>()[i];
  }
}

struct Volume {
  Tensor voxels;  // [1, D, H, W, C]
  std::int64_t most_planes_at_once = 0;
  layers::PlaneSource source() {
    return [this](std::int64_t first, std::int64_t count) {
      most_planes_at_once = std::max(most_planes_at_once, count);
      return ops::slice(Variable(voxels), 1, first, count);
    };
  }
};

Tensor streamed(layers::Segmenter& network, Volume& volume) {
  std::vector<Variable> parts;
  network.stream(volume.voxels.shape()[1], volume.source(), [&](const Variable& x) { parts.push_back(x); });
  return ops::concat(parts, 1).value();
}

}  // namespace

TEST(Stream, AVNetsPlanesHaveTheBitsOfTheWholeVolume) {
  const autograd::NoGrad no_grad;
  for (const auto& [width, halvings] : std::initializer_list<std::pair<std::int64_t, engine::Extents>>{
           {1, {{4, 4, 4}}}, {8, {{4, 4, 4}}}, {16, {{4, 4, 4}}}, {2, {{0, 4, 4}}}, {4, {{2, 4, 3}}}, {4, {{3, 2, 4}}}})
    for (const engine::Extents& size : {engine::Extents{{16, 16, 48}}, {{80, 32, 16}}, {{176, 16, 32}}})
      for (const std::int64_t channels : {1, 2}) {
        if (halvings != engine::Extents{{4, 4, 4}} && (size[0] != 80 || channels == 2)) continue;  // one of them will do
        engine::Generator random(3, "weights");
        layers::VNet network({.in_channels = channels, .classes = 3, .width = width, .halvings = halvings}, random);
        stir(network);
        Volume volume{tests::random_tensor({1, size[0], size[1], size[2], channels}, 5, engine::Dtype::f32)};
        const Tensor whole = network.forward(Variable(volume.voxels), {}).logits.value();
        const std::int64_t plane = size[1] * size[2] * width;
        for (const std::int64_t planes : {1, 2, 5, 16}) {
          SCOPED_TRACE(fmt::format("width {}, halvings {}, {} x {} channels, {} planes at once", width, to_string(halvings),
                                   to_string(size), channels, planes));
          network.streamed_floats = planes * plane;
          volume.most_planes_at_once = 0;
          EXPECT_TRUE(tests::identical(streamed(network, volume), whole));
          if (2 * planes < size[0]) { EXPECT_LE(volume.most_planes_at_once, std::max<std::int64_t>(planes, 2) + 2); }
        }
      }
}
