#pragma once
#include <memory>
#include <string>
#include <vector>

#include "datasets/layouts/layouts.h"
#include "datasets/normalise.h"
#include "datasets/placement.h"
#include "datasets/volume.h"
#include "engine/extents.h"

namespace sagcl::datasets {

/// A case in memory, ready for training or evaluation.
struct Sample {
  std::string id;
  Tensor image;       ///< normalised, f32 [D, H, W, C]
  Tensor label;       ///< u8 [D, H, W], classes or not_annotated; undefined if unknown or hidden
  Geometry geometry;  ///< of the image
  std::shared_ptr<const ClassCounts> counts = {};  ///< of the label; counted whenever they are needed if there are none
  std::size_t bytes() const { return image.bytes() + (label.defined() ? label.bytes() : 0); }  ///< of both
  engine::Extents extents() const { return {{image.shape()[0], image.shape()[1], image.shape()[2]}}; }
};

/// Loads, checks and normalises the cases named by `ids`, in that order. Labels are read only if `with_labels`; then every
/// case must have one (DataError). Throws what load_image and load_label throw.
std::vector<Sample> load_samples(const Dataset& data, const std::vector<std::string>& ids, Normalisation how,
                                 bool with_labels);

/// The planes of volumes as samples of their own, "<id>_slice_<1, 2, ...>", for networks that see images: they lie in the
/// volumes' memory. Samples of one plane stay as they are.
std::vector<Sample> planes_of(std::vector<Sample> samples);

}  // namespace sagcl::datasets
