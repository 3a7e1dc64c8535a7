#include "tools/evaluate/trained_network.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "datasets/text.h"
#include "layers/weights.h"
#include "semiagcl/settings/network_spec.h"
#include "semiagcl/training/checkpoint.h"
#include "tools/programs/program.h"
#include "tools/run/config.h"

namespace sagcl::tools {

using engine::DataError;
using engine::require;

namespace {

const std::string& note(const engine::TensorFile& content, const char* name, const std::string& source) {
  const auto found = content.notes.find(name);
  require<DataError>(found != content.notes.end(),
                     "{}: has no note '{}', so it is not a checkpoint of sagcl-train; give a file from "
                     "the folder checkpoints of a run",
                     source, name);
  return found->second;
}

std::int64_t whole_number(const engine::TensorFile& content, const char* name, const std::string& source) {
  const std::string& text = note(content, name, source);
  const auto value = datasets::number_in<std::int64_t>(text);
  require<DataError>(value && *value >= 0 && *value < (std::int64_t(1) << 40), "{}: note '{}' = '{}' is not a whole number",
                     source, name, text);
  return *value;
}

std::vector<std::string> class_names(const engine::TensorFile& content, const std::string& source) {
  const auto json = nlohmann::json::parse(note(content, "classes", source), nullptr, false);
  require<DataError>(json.is_array() && json.size() >= 2 && json.size() <= 256,
                     "{}: note 'classes' is not a list of 2 to 256 names", source);
  std::vector<std::string> names;
  for (const auto& name : json) {
    require<DataError>(name.is_string(), "{}: note 'classes' holds something that is not a name", source);
    names.push_back(name.get<std::string>());
  }
  return names;
}

/// Earlier versions trained to the end before they refused a stride that leaves voxels out: what they saved is still of use.
void repair_stride(semiagcl::RunSettings& s, const std::string& source) {
  const std::vector<std::int64_t> trained = s.evaluation.stride;
  for (std::size_t a = 0; a < std::min(trained.size(), s.train.patch.size()); ++a)
    s.evaluation.stride[a] = std::clamp<std::int64_t>(trained[a], 1, s.train.patch[a]);
  if (s.evaluation.stride != trained)
    say(fmt::format("warning: {}: evaluation.stride = [{}] would leave voxels out between windows of [{}]; [{}] is used",
                    source, fmt::join(trained, ", "), fmt::join(s.train.patch, ", "), fmt::join(s.evaluation.stride, ", ")));
}

bool has_any(const engine::TensorFile& content, const std::string& prefix) {
  const auto first = content.tensors.lower_bound(prefix);
  return first != content.tensors.end() && first->first.starts_with(prefix);
}

}  // namespace

TrainedNetwork network_from(const engine::TensorFile& content, const std::string& which, const std::string& source) {
  TrainedNetwork t;
  const std::string& config = note(content, "config", source);
  t.settings = settings_in(config, source + " (note 'config')");
  repair_stride(t.settings, source);
  t.classes = class_names(content, source);
  t.channels = whole_number(content, "channels", source);
  if (const auto found = content.notes.find("orientation"); found != content.notes.end()) t.orientation = found->second;
  t.step = whole_number(content, "step", source);
  require<DataError>(t.channels >= 1 && t.channels <= 1024, "{}: note 'channels' = {} is not between 1 and 1024", source,
                     t.channels);
  const bool by_run =
      t.settings.method.evaluated == semiagcl::Evaluated::teacher && has_any(content, semiagcl::checkpoint::teacher);
  t.which = !which.empty() ? which : by_run ? "teacher" : "student";
  require<engine::UsageError>(has_any(content, t.which + "/"),
                              "{}: holds no {}: the method {} has none at step {}; use --network student", source, t.which,
                              t.settings.train.method, t.step);
  engine::Generator random(0, "weights");  // every weight is replaced
  t.network =
      layers::make_segmenter(t.settings.network.name,
                             semiagcl::network_spec(t.settings.network, t.channels, std::int64_t(t.classes.size())), random);
  layers::load(*t.network, t.which + "/", content, source);
  return t;
}

TrainedNetwork load_network(const std::filesystem::path& checkpoint, const std::string& which) {
  return network_from(engine::read_safetensors(checkpoint), which, checkpoint.string());
}

}  // namespace sagcl::tools
