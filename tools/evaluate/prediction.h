#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datasets/volume.h"
#include "semiagcl/settings/settings.h"
#include "tools/evaluate/ensemble.h"
#include "tools/evaluate/post_processing.h"

namespace sagcl::tools {

/// Where the results of a case go.
struct ResultFiles {
  std::filesystem::path folder;
  bool probabilities = false;  ///< asked for

  /// <id>.nii.gz with the geometry of the image; for an image of a plane from a format without geometry <id>.png.
  std::filesystem::path mask(const std::string& id, bool plane) const;
  /// probabilities/<id>.nii, or .npy beside a PNG mask.
  std::filesystem::path probabilities_file(const std::string& id, bool plane) const;
  /// Those of a case that exist already. What an image holds is not known before it is read, so both endings count where
  /// both are possible. DataError for names that are too long for a file.
  std::vector<std::filesystem::path> existing(const datasets::Case& one) const;
  /// True if the mask of a case exists, and its probabilities where `all` is true and they are asked for.
  bool finished(const datasets::Case& one, bool all) const;
};

/// What is asked for beside masks and probabilities.
struct PredictionExtras {
  /// Called before the mask is written, with ExpectedDice::per_class; empty: that is not worked out.
  std::function<void(const datasets::Case& one, const std::vector<double>& per_class)> expected_dice = {};
  std::optional<PostProcessing> post_processing;  ///< instead of the runs' evaluation.largest_component
};

/// What evaluation.blending and evaluation.mirror do, in sentences, and how long it takes; nothing where they are off. Warns
/// of axes along which training did not mirror.
std::vector<std::string> notes_on_prediction(const semiagcl::RunSettings& settings);

/// Reads a case as the file has it. DataError as datasets::load_image, and for a plane where the networks segment volumes.
datasets::Image read_case(const Ensemble& ensemble, const datasets::Case& one, std::optional<float> replace_nan);

/// Segments an image of read_case and writes the mask, whose file is returned, and the class probabilities where they are
/// asked for: f32, uncompressed, some planes at a time, as they were before components were chosen. The mask comes last.
/// `progress` hears how much is done and may throw to stop: then nothing was written. DataError as Ensemble::predict.
std::filesystem::path predict_case(Ensemble& ensemble, const datasets::Case& one, datasets::Image image,
                                   engine::Device device, const ResultFiles& files, const PredictionExtras& extras,
                                   const std::function<void(std::int64_t done, std::int64_t total)>& progress = {});

}  // namespace sagcl::tools
