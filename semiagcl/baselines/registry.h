#pragma once
#include <memory>

#include "semiagcl/settings/settings.h"
#include "semiagcl/training/training_method.h"

namespace sagcl::semiagcl {

/// What the registry knows of a method. It refers to the settings it was made with.
struct MethodEntry {
  const char* name;
  const char* line;  ///< what it is, in a line
  const char* paper;
  std::unique_ptr<TrainingMethod> (*make)(const RunSettings& settings, const layers::SegmenterSpec& spec,
                                          engine::Device device);
  /// Of the settings that not every method reads: their keys, or "mix." for a whole section.
  std::vector<std::string> reads;
  /// Why difference quotients of its loss cannot agree with the gradient, though both are right; null where they do.
  const char* no_quotients = nullptr;
};

/// All methods, in the order of --list-methods.
const std::vector<MethodEntry>& training_methods();

/// Whether a run with these settings reads the setting `key`: its method lists it, or no method does, because all read it.
/// UsageError as make_training_method.
bool method_reads(const RunSettings& settings, const std::string& key);

/// UsageError listing the names for an unknown one.
std::unique_ptr<TrainingMethod> make_training_method(const RunSettings& settings, const layers::SegmenterSpec& spec,
                                                     engine::Device device);

}  // namespace sagcl::semiagcl
