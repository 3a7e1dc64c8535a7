#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/volume.h"
#include "tools/trained_network.h"

namespace sagcl::tools {

/// The images of a folder (or one image file) as cases, sorted by id; of a data set in a known layout its test part, or all cases if
/// it has none. When every name ends in a channel number
/// like _0000, the files of a case are its channels, as in nnU-Net's layout; otherwise every file is a case.
std::vector<datasets::Case> image_cases(const std::filesystem::path& input);

/// Segments one case with the preprocessing of the network's training: u8 [D, H, W] at the image's own size.
struct PredictedCase {
  engine::Tensor mask;
  datasets::Geometry geometry;  ///< of the image
};
PredictedCase predict_case(TrainedNetwork& trained, const datasets::Case& one, engine::Device device);

/// Writes a mask into `folder`: <id>.nii.gz with the geometry of its image; for an image of a plane without geometry <id>.png,
/// whose stored values are the classes and whose palette makes them visible. Returns the file.
std::filesystem::path write_mask(const std::filesystem::path& folder, const std::string& id, const PredictedCase& predicted);

}  // namespace sagcl::tools
