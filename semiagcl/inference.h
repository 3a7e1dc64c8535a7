#pragma once
#include <array>

#include "layers/segmenter.h"
#include "semiagcl/settings.h"

namespace sagcl::semiagcl {

using engine::Tensor;

/// Labels every voxel of an image: normalised f32 [D,H,W,C] on the CPU -> u8 [D,H,W], the most likely class.
/// With evaluation.stride a window of train.patch slides over the volume and overlapping probabilities are averaged; without
/// it the whole volume goes through at once, padded with zeros on both sides to extents the network can halve. With
/// data.resize an image is enlarged or reduced to what the network was trained on and its labels are brought back.
Tensor predict(layers::Segmenter& network, const Tensor& image, const RunSettings& settings, engine::Device device);

/// Keeps of every foreground class its largest connected component (26 neighbours); u8 [D,H,W].
Tensor largest_components(const Tensor& label, std::int64_t classes);

/// Images and labels as the network sees them, brought to the side data.resize as data.resize_order says; unchanged for 0.
Tensor resized_image(const Tensor& image, const DataSettings& settings);
Tensor resized_label(const Tensor& label, const DataSettings& settings);

}  // namespace sagcl::semiagcl
