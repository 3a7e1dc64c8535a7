#include "semiagcl/evaluation/inference.h"

#include <algorithm>
#include <cmath>

#include "engine/devices/allocator.h"
#include "engine/devices/device_registry.h"
#include "engine/parallel.h"
#include "ops/layout.h"
#include "ops/resize.h"
#include "ops/softmax.h"
#include "semiagcl/evaluation/components.h"
#include "semiagcl/evaluation/mirrors.h"
#include "semiagcl/evaluation/resample.h"
#include "semiagcl/evaluation/sliding_window.h"
#include "semiagcl/settings/axes.h"

namespace sagcl::semiagcl {

using autograd::Variable;
using engine::Device;
using engine::Extents;
using engine::require;
using engine::Shape;
using engine::UsageError;

namespace {

/// The extents of a volume [D, H, W, …] at data.spacing.
Extents target(const Tensor& volume, const DataSettings& settings, const datasets::Spacing& spacing) {
  const Shape& s = volume.shape();
  const std::vector<double>& to = settings.spacing;
  return datasets::extents_at({{s[0], s[1], s[2]}}, spacing, {to[0], to[1], to[2]});
}

}  // namespace

Tensor resized_image(const Tensor& image, const DataSettings& settings, const datasets::Spacing& spacing) {
  const Shape& s = image.shape();
  if (!settings.spacing.empty()) {
    const double finest = *std::min_element(spacing.begin(), spacing.end());
    std::array<datasets::Interpolation, 3> how;
    for (std::size_t a = 0; a < 3; ++a)
      how[a] = spacing[a] >= 3 * finest ? datasets::Interpolation::linear : datasets::Interpolation::cubic;
    return datasets::resampled(image, target(image, settings, spacing), how);
  }
  const std::int64_t side = settings.resize;
  if (side == 0 || (s[1] == side && s[2] == side)) return image;
  if (settings.resize_order == 0) return zoom_nearest(image, side, side);
  const Tensor batched = image.reshape({1, s[0], s[1], s[2], s[3]});
  return ops::resize(Variable(batched), {.out = {{s[0], side, side}}}).value().reshape({s[0], side, side, s[3]});
}

namespace {

/// [D, h, w] or [D, h, w, C] at another size: the pixel under the centre of the new one.
Tensor nearest(const Tensor& x, std::int64_t height, std::int64_t width) {
  const Shape& s = x.shape();
  const std::int64_t channels = s.rank() == 4 ? s[3] : 1;
  Tensor out = Tensor::empty(s.with(1, height).with(2, width), x.dtype());
  visit_any(x.dtype(), [&]<class T>(engine::Type<T>) {
    T* to = out.data<T>();
    for (std::int64_t d = 0; d < s[0]; ++d)
      for (std::int64_t h = 0; h < height; ++h)
        for (std::int64_t w = 0; w < width; ++w, to += channels) {
          const std::int64_t row = (2 * h + 1) * s[1] / (2 * height), column = (2 * w + 1) * s[2] / (2 * width);
          std::copy_n(x.data<T>() + ((d * s[1] + row) * s[2] + column) * channels, channels, to);
        }
  });
  return out;
}

/// Labels or their probabilities at another size than the network's.
Tensor at_size(const Tensor& x, std::int64_t height, std::int64_t width, const DataSettings& settings) {
  if (settings.resize == 0 || (x.shape()[1] == height && x.shape()[2] == width)) return x;
  return settings.resize_order == 0 ? zoom_nearest(x, height, width) : nearest(x, height, width);
}

/// Makes `label` the position of the largest of every voxel's probabilities. Where rounding made those of two classes equal,
/// or swapped them, the label's becomes the next number above; where resizing put nothing, the background is certain.
void agree(Tensor& probabilities, const Tensor& label) {
  const std::int64_t C = probabilities.shape().back();
  engine::parallel_for(label.size(), 1 << 14, [&](std::int64_t i) {
    float* p = probabilities.data<float>() + i * C;
    float* const largest = std::max_element(p, p + C);
    float& chosen = p[label.data<std::uint8_t>()[i]];
    if (*largest == 0) *p = 1;
    else if (&chosen != largest) chosen = std::nextafter(*largest, 2.0f);
  });
}

/// The label of a volume [D, H, W] from the network's scores of a few planes at a time.
class Labelling {
 public:
  Labelling(const Shape& volume, const DataSettings& settings, const PredictionEvents& events)
      : settings_(settings), events_(events), label_(Tensor::empty({volume[0], volume[1], volume[2]}, engine::Dtype::u8)) {}

  /// The next planes: logits or probabilities [n, h, w, C] at the network's size.
  void add(const Tensor& scores, bool logits) {
    const Shape& s = scores.shape();
    const std::int64_t H = label_.shape()[1], W = label_.shape()[2];
    const Tensor at_network = ops::most_likely(scores).to(Device::cpu()).to(engine::Dtype::u8).reshape({s[0], s[1], s[2]});
    const Tensor label = at_size(at_network, H, W, settings_);
    std::copy_n(label.data<std::uint8_t>(), label.size(), label_.data<std::uint8_t>() + done_);
    done_ += label.size();
    if (!events_.probabilities) return;
    const Tensor p = logits ? ops::softmax(Variable(scores)).value() : scores;
    Tensor resized = at_size(p.to(Device::cpu()), H, W, settings_);
    agree(resized, label);
    events_.probabilities(resized);
  }

  const Tensor& label() const { return label_; }

 private:
  const DataSettings& settings_;
  const PredictionEvents& events_;
  Tensor label_;
  std::int64_t done_ = 0;  // voxels
};

/// Planes [first, first + count) of an image [D, H, W, C] in a volume of zeros of which it is the part [before, before + D).
Tensor padded_planes(const Tensor& image, const Extents& before, const Extents& padded, std::int64_t first,
                     std::int64_t count) {
  const Shape& s = image.shape();
  Tensor x = Tensor::zeros({1, count, padded[1], padded[2], s[3]});
  for (std::int64_t d = std::max(first, before[0]); d < std::min(first + count, before[0] + s[0]); ++d)
    engine::parallel_for(s[1], 64, [&](std::int64_t h) {
      std::copy_n(image.data<float>() + ((d - before[0]) * s[1] + h) * s[2] * s[3], s[2] * s[3],
                  x.data<float>() + (((d - first) * padded[1] + before[1] + h) * padded[2] + before[2]) * s[3]);
    });
  return x;
}

/// Plane d of an image [D, H, W, C], as [1, H, W, C].
Tensor plane_of(const Tensor& image, std::int64_t d) {
  Tensor plane = Tensor::empty(image.shape().with(0, 1));
  std::copy_n(image.data<float>() + d * plane.size(), plane.size(), plane.data<float>());
  return plane;
}

/// One image through one network; the image's scores go into the labelling plane by plane.
struct ImagePass {
  layers::Segmenter& network;
  const RunSettings& settings;
  Device device;
  Labelling& labelling;
  std::vector<Mirror> mirrors;
  datasets::Spacing spacing;

  /// Of the next planes [n, h, w, classes] at the size the network sees; logits or probabilities.
  using ProbabilitySink = std::function<void(const Tensor& planes, bool logits)>;
  using Count = std::function<void(std::int64_t done, std::int64_t total)>;

  /// Without windows, padded with zeros, half of them (rounded down) before. `sink` is given logits [n, H, W, classes].
  void whole(const Tensor& image, const Count& count, const PlaneSink& sink) const {
    Extents before, padded;
    const Extents stride = network.stride();
    for (int a = 0; a < 3; ++a) {
      const std::int64_t size = image.shape()[a], missing = (stride[a] - size % stride[a]) % stride[a];
      before[a] = missing / 2, padded[a] = size + missing;
    }
    std::int64_t read = 0, written = 0;  // planes
    const auto planes = [&](std::int64_t first, std::int64_t n) {
      read = std::max(read, first + n);
      count(read + written, 2 * padded[0]);
      return Variable(padded_planes(image, before, padded, first, n).to(device));
    };
    network.stream(padded[0], planes, [&](const Variable& logits) {
      const std::int64_t n = logits.shape()[1], begin = std::max(before[0] - written, std::int64_t(0)),
                         end = std::min(before[0] + image.shape()[0] - written, n);
      written += n;
      if (begin < end) {
        const Extents size{{end - begin, image.shape()[1], image.shape()[2]}};
        const Tensor x = ops::crop(logits, {{begin, before[1], before[2]}}, size).value();
        sink(x.reshape({size[0], size[1], size[2], x.shape()[4]}));
      }
      count(read + written, 2 * padded[0]);
    });
  }

  /// The same for an image and its mirror images. What they have in common is known once all were seen, so the probabilities
  /// of the whole image are held.
  void whole_mirrored(const Tensor& image, const Count& count, const ProbabilitySink& sink) const {
    const Shape& s = image.shape();
    MirrorMean mean(s[0]);
    for (std::size_t k = 0; k < mirrors.size(); ++k) {
      const auto counted = [&](std::int64_t done, std::int64_t total) {
        count(std::int64_t(k) * total + done, std::int64_t(mirrors.size()) * total);
      };
      std::int64_t first = 0;
      whole(mirrored(image.reshape({1, s[0], s[1], s[2], s[3]}), mirrors[k]).reshape(s), counted, [&](const Tensor& logits) {
        const Tensor p = ops::softmax(Variable(logits)).value().to(Device::cpu());
        const Shape& planes = p.shape();
        mean.add(p.reshape({1, planes[0], planes[1], planes[2], planes[3]}), first, mirrors[k]);
        first += planes[0];
      });
    }
    const Tensor p = mean.take(mirrors.size());
    const Tensor probabilities = p.reshape({s[0], s[1], s[2], p.shape()[4]});
    for (std::int64_t d = 0; d < s[0]; ++d) sink(plane_of(probabilities, d), false);
  }

  /// Overlapping windows of the training patch's size.
  void windowed(const Tensor& image, const Count& count, const ProbabilitySink& sink) const {
    const auto& p = settings.train.patch;
    const auto& t = settings.evaluation.stride;
    const WindowSpec spec{.window = {{p[0], p[1], p[2]}},
                          .stride = {{t[0], t[1], t[2]}},
                          .gaussian = settings.evaluation.blending == "gaussian"};
    const auto probabilities = [&](const Tensor& windows) {
      return mean_over_mirrors(windows, mirrors, [&](const Tensor& x) {
        return ops::softmax(network.forward(Variable(x.to(device)), {}).logits).value().to(Device::cpu());
      });
    };
    sliding_window(
        image, spec, probabilities, [&](const Tensor& planes) { sink(planes, false); }, count);
  }

  void run(const Tensor& image, const Count& count) const {
    const Tensor input = resized_image(image, settings.data, spacing);
    const Shape &s = image.shape(), &t = input.shape();
    const bool resampled = !settings.data.spacing.empty() && s != t;
    datasets::PlaneResampling back(t[0], {{s[0], s[1], s[2]}}, [&](const Tensor& planes) { labelling.add(planes, false); });
    const ProbabilitySink sink = [&](const Tensor& planes, bool logits) {
      if (!resampled) return labelling.add(planes, logits);
      back.add((logits ? ops::softmax(Variable(planes)).value() : planes).to(Device::cpu()));
    };
    if (!settings.evaluation.stride.empty()) windowed(input, count, sink);
    else if (mirrors.size() > 1) whole_mirrored(input, count, sink);
    else whole(input, count, [&](const Tensor& logits) { sink(logits, true); });
  }
};

}  // namespace

Tensor resized_label(const Tensor& label, const DataSettings& settings, const datasets::Spacing& spacing) {
  if (!settings.spacing.empty()) return datasets::resampled_label(label, target(label, settings, spacing));
  return at_size(label, settings.resize, settings.resize, settings);
}

void check_prediction(const RunSettings& s) {
  const EvaluationSettings& e = s.evaluation;
  require<UsageError>(e.blending == "mean" || e.blending == "gaussian",
                      "evaluation.blending = '{}': choose mean or gaussian", e.blending);
  require<UsageError>(
      e.blending == "mean" || !e.stride.empty(),
      "evaluation.blending = 'gaussian': evaluation.stride = [] predicts whole images, so there are no windows "
      "to blend; choose mean, or windows of train.patch = [{}] (--set evaluation.stride=D,H,W)",
      fmt::join(s.train.patch, ", "));
  require<UsageError>(!axes_named(e.mirror, "evaluation.mirror")[0] || !layers::flat(s.network.name),
                      "evaluation.mirror = [{}]: {} sees one plane at a time, which has no axis D; leave it out",
                      fmt::join(e.mirror, ", "), s.network.name);
}

Tensor predict(layers::Segmenter& network, const Tensor& image, const RunSettings& settings, Device device,
               const PredictionEvents& events, const datasets::Spacing& spacing) {
  check_prediction(settings);
  const autograd::NoGrad no_grad;
  const engine::Sparing sparing(engine::allocator(device));
  const Shape& s = image.shape();
  require(s.rank() == 4, "an image must be [D, H, W, C], got {}", s);
  Labelling labelling(s, settings.data, events);
  const ImagePass one{
      network, settings, device, labelling, mirrors_along(axes_named(settings.evaluation.mirror, "evaluation.mirror")),
      spacing};
  const std::int64_t parts = network.flat() ? s[0] : 1;  // a network of images labels a volume one plane after another
  for (std::int64_t d = 0; d < parts; ++d) {
    one.run(parts > 1 ? plane_of(image, d) : image, [&](std::int64_t done, std::int64_t total) {
      if (events.progress) events.progress(d * total + done, parts * total);
    });
  }
  return labelling.label();
}

Tensor largest_components(Tensor label, std::int64_t classes) {
  Tensor kept = label.sole_owner() ? std::move(label) : label.clone();
  for (std::int64_t k = 1; k < classes; ++k) keep_largest_component(kept, std::uint8_t(k));
  return kept;
}

}  // namespace sagcl::semiagcl
