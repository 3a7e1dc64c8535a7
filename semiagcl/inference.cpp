#include "semiagcl/inference.h"

#include <algorithm>

#include "ops/layout.h"
#include "ops/resize.h"
#include "ops/softmax.h"
#include "semiagcl/components.h"
#include "semiagcl/metrics.h"
#include "semiagcl/sliding_window.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Device;
using engine::Extents;
using engine::Shape;

namespace {

Tensor batched(const Tensor& image) {
  const Shape& s = image.shape();
  engine::require(s.rank() == 4, "an image must be [D, H, W, C], got {}", s);
  return image.reshape({1, s[0], s[1], s[2], s[3]});
}

/// Index of the largest of every voxel's values; the lower class of equals.
Tensor most_likely(const Tensor& scores) {
  const Tensor host = scores.to(Device::cpu());
  const std::int64_t classes = host.shape().back(), voxels = host.size() / classes;
  const Shape& s = host.shape();
  Tensor label = Tensor::empty({s[s.rank() - 4], s[s.rank() - 3], s[s.rank() - 2]}, engine::Dtype::u8);
  const float* z = host.data<float>();
  for (std::int64_t v = 0; v < voxels; ++v, z += classes)
    label.data<std::uint8_t>()[v] = std::uint8_t(std::max_element(z, z + classes) - z);
  return label;
}

/// The whole volume in one pass, padded with zeros, half of them (rounded down) before.
Tensor whole(layers::Segmenter& network, const Tensor& image, Device device) {
  Extents before, after, size;
  for (int a = 0; a < 3; ++a) {
    size[a] = image.shape()[a];
    const std::int64_t multiple = network.flat() && a == 0 ? 1 : layers::Segmenter::stride();
    const std::int64_t missing = (multiple - size[a] % multiple) % multiple;
    before[a] = missing / 2, after[a] = missing - missing / 2;
  }
  const Variable x = ops::pad(Variable(batched(image).to(device)), before, after);
  return most_likely(ops::crop(network.forward(x, {}).logits, before, size).value());
}

/// Overlapping windows of the training patch's size.
Tensor windowed(layers::Segmenter& network, const Tensor& image, const RunSettings& s, Device device) {
  const auto& p = s.train.patch;
  const auto& t = s.evaluation.stride;
  const WindowSpec spec{.window = {{p[0], p[1], p[2]}}, .stride = {{t[0], t[1], t[2]}}};
  return most_likely(sliding_window(image, spec, [&](const Tensor& windows) {
    return ops::softmax(network.forward(Variable(windows.to(device)), {}).logits).value().to(Device::cpu());
  }));
}

}  // namespace

Tensor resized_image(const Tensor& image, std::int64_t side) {
  const Shape& s = image.shape();
  if (side == 0 || (s[1] == side && s[2] == side)) return image;
  return ops::resize(Variable(batched(image)), {.out = {{s[0], side, side}}}).value().reshape({s[0], side, side, s[3]});
}

Tensor resized_label(const Tensor& label, std::int64_t side) {
  if (side == 0) return label;
  const Shape& s = label.shape();
  Tensor out = Tensor::empty({s[0], side, side}, engine::Dtype::u8);
  std::int64_t i = 0;
  for (std::int64_t d = 0; d < s[0]; ++d)
    for (std::int64_t h = 0; h < side; ++h)
      for (std::int64_t w = 0; w < side; ++w, ++i) {  // the source voxel under the centre of the target voxel
        const std::int64_t y = (2 * h + 1) * s[1] / (2 * side), x = (2 * w + 1) * s[2] / (2 * side);
        out.data<std::uint8_t>()[i] = label.data<std::uint8_t>()[(d * s[1] + y) * s[2] + x];
      }
  return out;
}

Tensor predict(layers::Segmenter& network, const Tensor& image, const RunSettings& settings, Device device) {
  const autograd::NoGrad no_grad;
  const Tensor input = resized_image(image, settings.data.resize);
  Tensor label = settings.evaluation.stride.empty() ? whole(network, input, device) : windowed(network, input, settings, device);
  if (settings.data.resize == 0) return label;
  const Shape& s = image.shape();  // back to the image's own size, nearest
  Tensor out = Tensor::empty({s[0], s[1], s[2]}, engine::Dtype::u8);
  const std::int64_t side = settings.data.resize;
  std::int64_t i = 0;
  for (std::int64_t d = 0; d < s[0]; ++d)
    for (std::int64_t h = 0; h < s[1]; ++h)
      for (std::int64_t w = 0; w < s[2]; ++w, ++i)
        out.data<std::uint8_t>()[i] =
            label.data<std::uint8_t>()[(d * side + (2 * h + 1) * side / (2 * s[1])) * side + (2 * w + 1) * side / (2 * s[2])];
  return out;
}

Tensor largest_components(const Tensor& label, std::int64_t classes) {
  Tensor kept = Tensor::zeros(label.shape(), label.dtype());
  for (std::int64_t k = 1; k < classes; ++k) {
    const Tensor largest = largest_component(mask_of(label, k));
    for (std::int64_t v = 0; v < label.size(); ++v)
      if (largest.data<std::uint8_t>()[v]) kept.data<std::uint8_t>()[v] = std::uint8_t(k);
  }
  return kept;
}

}  // namespace sagcl::semiagcl
