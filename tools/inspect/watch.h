#pragma once
#include <filesystem>

#include "tools/inspect/inspected_step.h"

namespace sagcl::tools {

/// The tensors of the step whose names fit, with what they hold; without patterns the names of all. `npy`: a folder for the
/// tensors themselves, or empty. MissingInput for a pattern that nothing fits.
std::string watch(InspectedStep& subject, const std::vector<std::string>& patterns, const std::filesystem::path& npy,
                  bool json);

}  // namespace sagcl::tools
