#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/processes/communicator.h"
#include "semiagcl/settings/settings.h"
#include "tools/run/run_state.h"

namespace sagcl::tools {

/// What the command line asks for.
struct TrainOptions {
  semiagcl::RunSettings settings;
  std::filesystem::path out;
  std::filesystem::path split;      ///< a split.json to train on; empty: divide as the settings say
  RunState state = RunState::none;  ///< of `out`
  std::string changes;  ///< settings that differ from those of the run so far, a line each (with_what_may_change)
  bool dry_run = false;
  bool no_report = false;
  std::string device = "auto";
  std::string command;          ///< as typed, for command.txt
  std::int64_t stop_after = 0;  ///< leave after so many steps of this call, as if interrupted; 0 never
};

/// Begins a run or goes on with it, looks ahead (preflight.h), trains, saves, evaluates and reports; returns the exit code
/// (0, or 130 / 143 when a signal asked to stop). Of several processes, which all call it with the same options, the first
/// alone writes and tells; it holds the RunLock of `out`.
int train(const TrainOptions& options, engine::Communicator& ranks);

}  // namespace sagcl::tools
