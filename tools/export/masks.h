#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/label_rule.h"

namespace sagcl::tools {

/// Masks to take away, and what their classes are called.
struct Masks {
  std::map<std::string, std::filesystem::path> files;  ///< by name without ending
  std::vector<std::string> names;                      ///< of the foreground classes; empty where nobody gives them
};

/// `source` is a mask, a folder of masks, or a run folder: then its predictions. Of the predictions of a run evaluation.json
/// names the classes. MissingInput where there is nothing.
Masks find_masks(const std::filesystem::path& source);

/// One of them as a .seg.nrrd (seg_nrrd.h), its stored values read by `rule`. Without names the classes up to the largest
/// are called "class 1", "class 2", …. DataError for what readers refuse, and for values that are no class.
void write_seg_nrrd(const std::filesystem::path& file, const std::filesystem::path& mask, const datasets::LabelRule& rule,
                    const std::vector<std::string>& names);

}  // namespace sagcl::tools
