#include "tools/run/run_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "datasets/split.h"
#include "datasets/text.h"
#include "engine/files/read_file.h"
#include "semiagcl/training/checkpoint.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using engine::DataError;
using engine::require;
using Json = nlohmann::ordered_json;

RunStatus read_status(const fs::path& run) {
  const fs::path file = run / "status.json";
  RunStatus status;
  if (!fs::exists(file)) return status;
  const Json json = Json::parse(engine::read_file(file), nullptr, false);
  require<DataError>(json.is_object() && json.contains("state") && json["state"].is_string() && json.contains("step") &&
                         json["step"].is_number_integer(),
                     "{}: is not a status with 'state' and 'step'; remove it", file.string());
  status.state = json["state"].get<std::string>();
  status.step = json["step"].get<std::int64_t>();
  // The version before did not count them; a run that fails before its first checkpoint has steps too.
  const bool counted = json.contains("checkpoints") && json["checkpoints"].is_number_integer();
  status.saved = counted ? json["checkpoints"].get<std::int64_t>() > 0 : status.step > 0 && status.state != "failed";
  if (json.contains("seconds") && json["seconds"].is_number()) status.seconds = json["seconds"].get<double>();
  return status;
}

std::int64_t step_of_checkpoint(const fs::path& file) {
  const std::string name = file.filename().string(), begin = "step-", end = ".safetensors";
  if (!name.starts_with(begin) || !name.ends_with(end) || name.size() <= begin.size() + end.size()) return -1;
  return datasets::number_in<std::int64_t>(name.substr(begin.size(), name.size() - begin.size() - end.size())).value_or(-1);
}

std::vector<fs::path> checkpoint_files(const fs::path& run) {
  std::vector<fs::path> files;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", missing))
    if (step_of_checkpoint(entry.path()) >= 0) files.push_back(entry.path());
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return step_of_checkpoint(a) > step_of_checkpoint(b); });
  return files;
}

RunState state_of(const fs::path& run) {
  const bool saved = !checkpoint_files(run).empty();
  if (!fs::exists(run / "config.toml")) {
    require<DataError>(!saved, "{}: holds checkpoints but no config.toml; put it back, or choose another folder",
                       run.string());
    return RunState::none;
  }
  const RunStatus status = read_status(run);
  if (status.state == "finished") return RunState::finished;
  if (saved) return RunState::saved;
  require<DataError>(!status.saved,
                     "{}: says that step {} was saved, but checkpoints/ holds none; put them back, or start a new run in "
                     "another folder",
                     (run / "status.json").string(), status.step);
  return RunState::begun;
}

fs::path split_to_use(const fs::path& run, RunState state, const fs::path& given) {
  const fs::path own = run / "split.json";
  if (state == RunState::none) return given;
  if (!fs::exists(own)) {
    require<engine::MissingInput>(state == RunState::begun,
                                  "{}: is gone, and with it which case is in which part; put it back", own.string());
    return given;
  }
  const auto parts = [](const fs::path& file) {
    const datasets::Split s = datasets::parse_split(engine::read_file(file), file.string());
    return std::tuple(s.labelled, s.unlabelled, s.validation, s.test);
  };
  require<engine::UsageError>(given.empty() || parts(given) == parts(own),
                              "--split {} divides the data otherwise than {}, by which the run "
                              "was begun; leave it out, or start a new run in another folder",
                              given.string(), own.string());
  return own;
}

std::vector<std::string> missing_results(const fs::path& run) {
  const fs::path file = run / "split.json";
  const datasets::Split split = datasets::parse_split(engine::read_file(file), file.string());
  std::vector<std::string> missing;
  if (!split.test.empty() && !fs::exists(run / "evaluation.json")) missing.push_back("evaluation.json");
  for (const std::string& id : split.test) {
    const std::string base = (run / "predictions" / id).string();
    if (!fs::exists(base + ".nii.gz") && !fs::exists(base + ".png")) missing.push_back("predictions/" + id);
  }
  return missing;
}

std::optional<Checkpoint> newest_checkpoint_before(const fs::path& run, std::int64_t step) {
  for (const auto& file : checkpoint_files(run)) try {
      Checkpoint found{file, engine::read_safetensors(file)};
      if (step == 0 || semiagcl::checkpoint::position_of(found.content, file.string()).step < step) return found;
    } catch (const DataError& e) { say(fmt::format("warning: {}; trying the checkpoint before it", e.what())); }
  return std::nullopt;
}

Checkpoint newest_checkpoint(const fs::path& run) {
  if (std::optional<Checkpoint> found = newest_checkpoint_before(run, 0)) return *std::move(found);
  engine::fail<DataError>("{}: none of its {} checkpoints can be read; restore one, or start a new run in another folder",
                          (run / "checkpoints").string(), checkpoint_files(run).size());
}

Checkpoint read_checkpoint(const fs::path& source) {
  if (fs::is_regular_file(source)) return {source, engine::read_safetensors(source)};
  engine::require<engine::MissingInput>(fs::is_directory(source), "{}: there is no such run folder or checkpoint",
                                        source.string());
  engine::require<engine::MissingInput>(!checkpoint_files(source).empty(),
                                        "{}: holds no checkpoints; give a run folder, as given to sagcl-train --out, or a "
                                        "file from its folder checkpoints",
                                        source.string());
  return newest_checkpoint(source);
}

std::string kept_metrics(const std::string& text, std::int64_t attempt, std::int64_t step) {
  std::string kept;
  std::int64_t current = 0, last = 0;  // attempts begin where the steps of training begin again
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end + 1 - begin);
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer() || !json.contains("phase"))
      continue;
    const std::int64_t at = json["step"].get<std::int64_t>();
    const bool trained = json["phase"] == "train", of_step = json["phase"] != "validation" && json["phase"] != "test";
    if (trained && at <= last) ++current;
    if (trained) last = at;
    if (json["phase"] == "note" || current < attempt || (current == attempt && (of_step ? at <= step : at < step)))
      kept += line;
  }
  return kept;
}

}  // namespace sagcl::tools
