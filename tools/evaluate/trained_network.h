#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"
#include "layers/segmenter.h"
#include "semiagcl/settings/settings.h"

namespace sagcl::tools {

/// A network as a checkpoint holds it, with what is needed to use it.
struct TrainedNetwork {
  semiagcl::RunSettings settings;    ///< of the run that trained it
  std::vector<std::string> classes;  ///< names, background first
  std::int64_t channels = 1;
  std::string orientation;  ///< of all its training cases, "RAS"; empty: they lay in several, or nobody knows
  std::int64_t step = 0;
  std::string which;  ///< "student" or "teacher"
  std::unique_ptr<layers::Segmenter> network;
};

/// Rebuilds the network from a checkpoint of sagcl-train: notes "config" (the resolved TOML), "classes" (a JSON list of
/// names), "channels", "step", perhaps "orientation", tensors "student/…" and "teacher/…". `which` is "student", "teacher",
/// or empty for the one the run evaluates. MissingInput if there is no such file, DataError if it is not a checkpoint or its
/// weights do not fit, UsageError if the run has no teacher.
TrainedNetwork load_network(const std::filesystem::path& checkpoint, const std::string& which = "");

/// The same from what was read; `source` names the file in messages.
TrainedNetwork network_from(const engine::TensorFile& content, const std::string& which, const std::string& source);

}  // namespace sagcl::tools
