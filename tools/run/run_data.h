#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/orientation.h"
#include "datasets/split.h"
#include "semiagcl/training/trainer.h"

namespace sagcl::tools {

/// The cases of a run.
struct RunData {
  datasets::Dataset dataset;
  datasets::Split split;
  semiagcl::TrainingData training;
  datasets::Orientations orientations;  ///< of the training cases
};

/// How data.labelled, data.test, data.validation and their picks divide a data set. UsageError for unknown picks.
datasets::SplitRule split_rule(const semiagcl::RunSettings& settings);

/// Opens data.folder with the label map of the settings.
datasets::Dataset open_data(const semiagcl::RunSettings& settings);

/// Opens data.folder, divides it as the settings say, or as `split_file` unless that is empty, and loads the training cases,
/// at most `most` with and so many without a label: to measure a step takes few. `renewed` as in read_split. Throws what
/// CaseReader throws.
RunData load_run_data(const semiagcl::RunSettings& settings, const std::filesystem::path& split_file,
                      std::vector<std::string>* renewed = nullptr, std::size_t most = SIZE_MAX);

/// Cases as training sees them: normalised, resized, of a network of images their planes. `with_labels`: all have one.
std::vector<datasets::Sample> load_cases(const RunData& data, const std::vector<std::string>& ids,
                                         const semiagcl::RunSettings& settings, bool with_labels);

/// "8", "0.05" or "a,b,c" as an amount. UsageError otherwise.
datasets::Amount amount_of(const std::string& key, const std::string& text);

}  // namespace sagcl::tools
