#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/split.h"
#include "semiagcl/trainer.h"
#include "tools/evaluation.h"

namespace sagcl::tools {

/// What the command line asks for.
struct TrainOptions {
  semiagcl::RunSettings settings;
  std::filesystem::path out;
  bool resume = false;
  bool dry_run = false;
  bool no_report = false;
  std::string device = "auto";
  std::string command;             ///< as typed, for command.txt
  std::int64_t stop_after = 0;     ///< leave after so many steps of this call, as if interrupted; 0 never
};

/// The cases of a run.
struct RunData {
  datasets::Dataset dataset;
  datasets::Split split;
  semiagcl::TrainingData training;
};

/// Opens data.folder, divides it as the settings say (or as `split_file`, if it exists) and loads the training cases.
RunData load_run_data(const semiagcl::RunSettings& settings, const std::filesystem::path& split_file);

/// "8", "0.05" or "a,b,c" as an amount. UsageError otherwise.
datasets::Amount amount_of(const std::string& key, const std::string& text);

/// The newest readable checkpoint of a run folder; unreadable ones are named on stderr and passed over. UsageError if
/// there is none.
struct Checkpoint { std::filesystem::path file; engine::TensorFile content; };
Checkpoint newest_checkpoint(const std::filesystem::path& run);

/// Trains, saves, evaluates and reports; returns the exit code (0, or 130 / 143 when a signal asked to stop).
int train(const TrainOptions& options);

}  // namespace sagcl::tools
