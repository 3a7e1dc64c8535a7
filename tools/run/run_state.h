#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"

namespace sagcl::tools {

/// How far the run in a folder has come. The files of a new run are written before its config.toml, so a folder without one
/// holds no run, whatever a start that was killed has left there.
enum class RunState {
  none,      ///< no run
  begun,     ///< no checkpoint yet: it begins at step 0
  saved,     ///< it goes on from a checkpoint
  finished,  ///< trained and evaluated
};

/// DataError where parts have been lost: checkpoints without config.toml, or the checkpoints of a run that had some.
RunState state_of(const std::filesystem::path& run);

/// The split.json that divides the data of a run: its own, else the `given` one; empty: none, the settings divide.
/// MissingInput if a run that has learnt something has lost its own, UsageError if both are there and have other parts.
std::filesystem::path split_to_use(const std::filesystem::path& run, RunState state, const std::filesystem::path& given);

/// status.json, as far as it decides something. DataError if it cannot be read as such; all empty if it is not there.
struct RunStatus {
  std::string state;  ///< running, interrupted, finished, failed
  std::int64_t step = 0;
  bool saved = false;  ///< there were checkpoints
  double seconds = 0;  ///< of training
};
RunStatus read_status(const std::filesystem::path& run);

/// Results that a finished run should hold and does not, by file name: evaluation.json, predictions of test cases.
std::vector<std::string> missing_results(const std::filesystem::path& run);

/// 600 of step-0000600.safetensors; -1 of any other name.
std::int64_t step_of_checkpoint(const std::filesystem::path& file);

/// The checkpoints of a run folder, the newest first. Other files beside them are nobody's business.
std::vector<std::filesystem::path> checkpoint_files(const std::filesystem::path& run);

/// The newest readable checkpoint; unreadable ones are named on stderr and passed over. DataError if there is none.
struct Checkpoint {
  std::filesystem::path file;
  engine::TensorFile content;
};
Checkpoint newest_checkpoint(const std::filesystem::path& run);

/// A checkpoint file, or the newest readable one of a run folder. MissingInput that says what to give if there is none.
Checkpoint read_checkpoint(const std::filesystem::path& source);

/// The newest readable one with fewer than `step` steps, or of any number where `step` is 0; none if there is none.
std::optional<Checkpoint> newest_checkpoint_before(const std::filesystem::path& run, std::int64_t step);

/// The lines of metrics.jsonl that still hold when a run goes on from `step` of its warm-up number `attempt` (0 unless it
/// was restarted): all of earlier attempts, training up to the step, figures of held-out cases before it (the caller
/// measures those of the step itself, which may be incomplete), and notes. A last line that was cut off is dropped.
std::string kept_metrics(const std::string& text, std::int64_t attempt, std::int64_t step);

}  // namespace sagcl::tools
