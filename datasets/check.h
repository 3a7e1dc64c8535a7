#pragma once
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "datasets/layouts/layouts.h"

namespace sagcl::datasets {

/// Something about a data set that will stop training, or that somebody should look at.
struct Problem {
  bool fatal = false;   ///< to be repaired before training: it would fail, or its figures would be wrong
  std::string case_id;  ///< empty if it concerns the whole data set
  std::string text;     ///< what, in which file, and what to do
};

/// What a look at every file found.
struct DatasetReport {
  std::vector<Problem> problems;
  std::int64_t cases = 0, labelled = 0, test = 0;
  std::vector<std::int64_t> voxels_per_class;                             ///< over all labels that could be read
  std::array<std::int64_t, 3> smallest = {0, 0, 0}, largest = {0, 0, 0};  ///< extents D, H, W
  bool measured = false;                                                  ///< some files say how large a voxel is
  std::array<double, 3> finest = {0, 0, 0}, coarsest = {0, 0, 0};         ///< of these: millimetres along D, H, W
  bool usable() const;                                                    ///< no fatal problem
};

/// A case that could be read, with its classes, u8 [D, H, W]; undefined for an unlabelled case.
using SeenCase = std::function<void(const Case&, const Image&, const Tensor& classes)>;

/// Reads every image and label and collects all mistakes instead of stopping at the first. Fatal: everything load_image and
/// load_label refuse, patients in more than one part, and voxel axes that are not at right angles (distances along them
/// would be wrong, and ITK refuses such files). Further what remarks_of and TwinImages say (case_remarks.h), classes that
/// occur in no label or in one patient alone, voxel sizes that differ more than twofold between cases, pixel depths that
/// differ, and the data set's warnings. `seen` is called for each case that was read.
DatasetReport check_dataset(const Dataset& data, const SeenCase& seen = {});

/// Opens a folder and checks it; what open_dataset complains of is fatal, and so is a data set without any label.
DatasetReport check_folder(const std::filesystem::path& folder, const std::optional<LabelRule>& labels,
                           const SeenCase& seen = {});

}  // namespace sagcl::datasets
