#pragma once
#include <map>
#include <string>

#include "datasets/volume.h"

/// What somebody should know about cases as they are read, whoever reads them: the checker or a plan.
namespace sagcl::datasets {

/// Sentences that name the file: a constant image, a label that is all background or nowhere annotated, and what the readers
/// remarked, as two places in one header or values that a header's scaling bent. Reads nothing. `label`: null for a case
/// without, or one whose label is not read.
Remarks remarks_of(const Case& one, const Image& image, const Label* label = nullptr);

/// Of the extents and a million voxels at most, evenly spread: equal where images are.
std::string digest_of(const Image& image);

/// Finds images that occur under two names.
class TwinImages {
 public:
  /// The sentence to say if an earlier case has an image of that digest; else empty.
  std::string add(const std::string& id, const std::string& digest);

 private:
  std::map<std::string, std::string> cases_;  // digest -> case
};

}  // namespace sagcl::datasets
