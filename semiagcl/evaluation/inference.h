#pragma once
#include <functional>

#include "datasets/resampling.h"
#include "layers/segmenter.h"
#include "semiagcl/settings/settings.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// What predict() tells while it works; both may be empty.
struct PredictionEvents {
  /// The class probabilities of the next planes, f32 [n, H, W, classes] at the image's own size. A voxel's largest, the
  /// first of equals, is that of its label.
  std::function<void(const Tensor& planes)> probabilities;
  /// How much is done, in windows or planes; it may throw to stop.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
};

/// UsageError where evaluation.blending or evaluation.mirror has a value that there is not, or one that would do nothing:
/// blending without windows, mirrors of a plane along D.
void check_prediction(const RunSettings& settings);

/// Labels every voxel of an image: normalised f32 [D,H,W,C] on the CPU -> u8 [D,H,W], the most likely class.
/// With evaluation.stride a window of train.patch slides over the volume and overlapping probabilities are averaged, with
/// the weights of evaluation.blending; without it the whole volume is segmented at once, padded with zeros on both sides to
/// extents the network can halve. With evaluation.mirror every window, or the whole image, is predicted once for each of the
/// 2^n combinations of mirrored axes, and the probabilities, mirrored back, are averaged. With data.resize an image is
/// enlarged or reduced to what the network was trained on and its labels are brought back; with data.spacing the image, of
/// voxels `spacing` apart, is resampled, and its probabilities are. UsageError as check_prediction.
/// Beside image and label only planes are in memory, however deep the volume is: those that a window covers, or on the CPU
/// those that a V-Net keeps while it is streamed (layers/segmenter.h); but mirrors of whole volumes also need a second image
/// and the probabilities of all classes. A network of images sees one plane after another.
Tensor predict(layers::Segmenter& network, const Tensor& image, const RunSettings& settings, engine::Device device,
               const PredictionEvents& events = {}, const datasets::Spacing& spacing = {1, 1, 1});

/// Keeps of every foreground class its largest connected component (26 neighbours); u8 [D,H,W], in place if nobody else
/// holds it.
Tensor largest_components(Tensor label, std::int64_t classes);

/// Images and labels as the network sees them: of voxels `spacing` apart brought to data.spacing, an axis three times as
/// coarse as the finest linearly, the others by cubic splines; or to the side data.resize as data.resize_order says.
Tensor resized_image(const Tensor& image, const DataSettings& settings, const datasets::Spacing& spacing = {1, 1, 1});
Tensor resized_label(const Tensor& label, const DataSettings& settings, const datasets::Spacing& spacing = {1, 1, 1});

}  // namespace sagcl::semiagcl
