#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "datasets/split.h"
#include "datasets/volume.h"

namespace sagcl::tools {

struct InputOptions {
  std::int64_t channels = 1;                ///< of the network
  std::optional<datasets::Axes> axes = {};  ///< of arrays without geometry, instead of what is known of them
  bool every_file = false;                  ///< every file is a case, whatever its name
};

/// What is to be segmented, and in sentences how the files were understood and which were passed over.
struct PredictionInput {
  std::vector<datasets::Case> cases;  ///< by id; no two have the same
  std::vector<std::string> notes;
};

/// A part of a data set as trainings divided it: "labelled", "unlabelled", "validation" or "test".
struct DividedPart {
  std::string name;
  std::vector<datasets::Split> splits;  ///< of the runs; a case counts that is in this part of all of them
};

/// The images of a file or a folder. Of a data set in a known layout (datasets/layouts/layouts.h) the test part or, without
/// one, all cases; its labels are not read. In another folder every file is a case, but for a network of several channels
/// where files hold one each and are named CASE_0000, CASE_0001, ...: then these are the channels of a case, and every case
/// must have them all. Where every name ends in _0000, as nnU-Net names images of one file, masks are named without it.
/// MissingInput where there is no image; DataError that names the file and what to do where names do not fit.
PredictionInput find_images(const std::filesystem::path& input, const InputOptions& options);

/// Those of a data set that are in a part. MissingInput where there is none, DataError for cases that the data set lacks.
PredictionInput find_part(const std::filesystem::path& dataset, const InputOptions& options, const DividedPart& part);

}  // namespace sagcl::tools
