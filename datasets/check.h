#pragma once
#include <array>
#include <string>
#include <vector>

#include "datasets/layouts.h"

namespace sagcl::datasets {

/// Something about a data set that will stop training, or that somebody should look at.
struct Problem {
  bool fatal = false;   ///< training on this case would throw
  std::string case_id;  ///< empty if it concerns the whole data set
  std::string text;     ///< what, in which file, and what to do
};

/// What a look at every file found.
struct DatasetReport {
  std::vector<Problem> problems;
  std::int64_t cases = 0, labelled = 0, test = 0;
  std::vector<std::int64_t> voxels_per_class;                             ///< over all labels that could be read
  std::array<std::int64_t, 3> smallest = {0, 0, 0}, largest = {0, 0, 0};  ///< extents D, H, W
  std::array<double, 3> finest = {0, 0, 0}, coarsest = {0, 0, 0};         ///< millimetres between voxels along D, H, W
  bool usable() const;                                                    ///< no fatal problem
};

/// Reads every image and label and collects all mistakes instead of stopping at the first: everything load_image and
/// load_label refuse (fatal), and further constant images, the same image under two names, labels that are all background,
/// classes that occur in no label, and voxel sizes that differ more than twofold between cases.
DatasetReport check_dataset(const Dataset& data);

}  // namespace sagcl::datasets
