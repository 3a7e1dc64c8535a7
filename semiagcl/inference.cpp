#include "semiagcl/inference.h"

#include <algorithm>

#include "ops/layout.h"
#include "ops/resize.h"
#include "ops/softmax.h"
#include "semiagcl/components.h"
#include "semiagcl/metrics.h"
#include "semiagcl/resample.h"
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

/// u8 [D, H, W] on the host: the class of the largest of every voxel's values, the lower of equals.
Tensor classes_of(const Tensor& scores) {
  const Shape& s = scores.shape();
  return ops::most_likely(scores).to(Device::cpu()).to(engine::Dtype::u8).reshape({s[s.rank() - 4], s[s.rank() - 3], s[s.rank() - 2]});
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
  return classes_of(ops::crop(network.forward(x, {}).logits, before, size).value());
}

/// A network of images labels a volume one plane after another.
template <class Segment>
Tensor plane_by_plane(const Tensor& volume, Segment&& segment) {
  const Shape& s = volume.shape();
  Tensor label = Tensor::empty({s[0], s[1], s[2]}, engine::Dtype::u8), plane = Tensor::empty({1, s[1], s[2], s[3]});
  for (std::int64_t d = 0; d < s[0]; ++d) {
    std::copy_n(volume.data<float>() + d * plane.size(), plane.size(), plane.data<float>());
    const Tensor one = segment(plane);
    std::copy_n(one.data<std::uint8_t>(), one.size(), label.data<std::uint8_t>() + d * one.size());
  }
  return label;
}

/// Overlapping windows of the training patch's size.
Tensor windowed(layers::Segmenter& network, const Tensor& image, const RunSettings& s, Device device) {
  const auto& p = s.train.patch;
  const auto& t = s.evaluation.stride;
  const WindowSpec spec{.window = {{p[0], p[1], p[2]}}, .stride = {{t[0], t[1], t[2]}}};
  return classes_of(sliding_window(image, spec, [&](const Tensor& windows) {
    return ops::softmax(network.forward(Variable(windows.to(device)), {}).logits).value().to(Device::cpu());
  }));
}

}  // namespace

Tensor resized_image(const Tensor& image, const DataSettings& settings) {
  const Shape& s = image.shape();
  const std::int64_t side = settings.resize;
  if (side == 0 || (s[1] == side && s[2] == side)) return image;
  if (settings.resize_order == 0) return zoom_nearest(image, side, side);
  return ops::resize(Variable(batched(image)), {.out = {{s[0], side, side}}}).value().reshape({s[0], side, side, s[3]});
}

namespace {

/// Labels [D, h, w] at another size: the pixel under the centre of the new one.
Tensor nearest(const Tensor& label, std::int64_t height, std::int64_t width) {
  const Shape& s = label.shape();
  Tensor out = Tensor::empty({s[0], height, width}, engine::Dtype::u8);
  std::int64_t i = 0;
  for (std::int64_t d = 0; d < s[0]; ++d)
    for (std::int64_t h = 0; h < height; ++h)
      for (std::int64_t w = 0; w < width; ++w, ++i) {
        const std::int64_t y = (2 * h + 1) * s[1] / (2 * height), x = (2 * w + 1) * s[2] / (2 * width);
        out.data<std::uint8_t>()[i] = label.data<std::uint8_t>()[(d * s[1] + y) * s[2] + x];
      }
  return out;
}

Tensor label_at(const Tensor& label, std::int64_t height, std::int64_t width, const DataSettings& settings) {
  if (settings.resize == 0 || (label.shape()[1] == height && label.shape()[2] == width)) return label;
  return settings.resize_order == 0 ? zoom_nearest(label, height, width) : nearest(label, height, width);
}

}  // namespace

Tensor resized_label(const Tensor& label, const DataSettings& settings) {
  return label_at(label, settings.resize, settings.resize, settings);
}

Tensor predict(layers::Segmenter& network, const Tensor& image, const RunSettings& settings, Device device) {
  const autograd::NoGrad no_grad;
  const Tensor input = resized_image(image, settings.data);
  const auto segment = [&](const Tensor& part) {
    return settings.evaluation.stride.empty() ? whole(network, part, device) : windowed(network, part, settings, device);
  };
  const Tensor label = network.flat() ? plane_by_plane(input, segment) : segment(input);
  return label_at(label, image.shape()[1], image.shape()[2], settings.data);  // back to the image's own size
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
