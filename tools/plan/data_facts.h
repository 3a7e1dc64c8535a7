#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "datasets/orientation.h"
#include "datasets/resampling.h"
#include "datasets/split.h"

/// What a data set is like, as far as a plan of the training depends on it.
namespace sagcl::tools {

/// Of the training part alone: nothing that is held out is looked at. Intensities are those of the first channel.
struct DataFacts {
  std::int64_t labelled = 0, unlabelled = 0, test = 0;  ///< cases
  std::int64_t patients = 0;                            ///< of the training part
  std::int64_t channels = 1;
  std::vector<std::string> channel_names;  ///< as dataset.json says; empty where it does not
  std::vector<std::string> classes;
  bool measured = false;                                       ///< every image says how large its voxels are
  engine::Extents extents, smallest, largest;                  ///< median, least and most along D, H, W
  datasets::Spacing spacing = {}, finest = {}, coarsest = {};  ///< likewise, in millimetres
  struct One {
    std::string id;
    engine::Extents extents;
    datasets::Spacing spacing;
    double lowest, highest;
  };
  std::vector<One> cases = {};
  datasets::Orientations orientations;  ///< of the images that say where they lie
  double lowest = 0, highest = 0;       ///< of all voxels
  bool whole_numbers = true;            ///< every voxel is one
  /// In the labelled voxels of the labelled cases: all classes but the background.
  double low = 0, high = 0, mean = 0, deviation = 0;  ///< 0.5 and 99.5 per cent, mean, standard deviation
  std::vector<double> share;                          ///< of the annotated voxels, by class
  std::vector<std::string> remarks = {};              ///< what somebody should know about cases, "case c07: …"
};

/// Reads every image of the training part, and the labels of its labelled cases. Throws what load_image and load_label
/// throw; Stopped if a signal asked to stop.
DataFacts look_at(const datasets::Dataset& data, const datasets::Split& split);

/// Nothing says what the first channel shows.
bool is_unnamed(const DataFacts& facts);

/// CT: dataset.json names the channel so, or names none and most images reach from the -1000 of air to above 100, in whole
/// numbers.
bool is_ct(const DataFacts& facts);

/// Of CT: a sentence for each case that is not in Hounsfield units, stored from 0 on or scaled.
std::vector<std::string> not_in_hounsfield(const DataFacts& facts);

/// The median along each axis of what the cases' extents are when their voxels lie `spacing` apart.
engine::Extents median_extents_at(const DataFacts& facts, const datasets::Spacing& spacing);

/// What was seen, in sentences.
std::vector<std::string> sentences(const DataFacts& facts);

}  // namespace sagcl::tools
