// sagcl-train: trains a segmentation network from few labels.
#include <CLI/CLI.hpp>
#include <optional>

#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"
#include "engine/parallel.h"
#include "semiagcl/baselines/registry.h"
#include "tools/plan/plan.h"
#include "tools/programs/program.h"
#include "tools/programs/signals.h"
#include "tools/report/report.h"
#include "tools/run/config.h"
#include "tools/run/processes.h"
#include "tools/run/run_lock.h"
#include "tools/run/run_state.h"
#include "tools/run/training_run.h"

namespace {

using namespace sagcl;
using engine::UsageError;

struct Flags {
  std::string preset, config, data, out, split, weights, method, labelled, fold, seed, precision, time, device = "auto";
  std::vector<std::string> set;
  int threads = 0;
  bool resume = false, dry_run = false, no_report = false, list_methods = false, list_presets = false, print_config = false;
  std::int64_t stop_after = 0;
};

/// The same text for a place however it was typed: DIR/ is DIR.
std::string full_path(const std::string& typed) {
  const std::filesystem::path path = std::filesystem::absolute(typed).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).string();
}

/// A plan for images that no preset and no file has settings for: as TOML, and told.
std::string planned(const Flags& f, const engine::Communicator& ranks) {
  engine::require<UsageError>(ranks.size() == 1,
                              "without --preset and --config a plan would be made by each of {} processes: make it first, "
                              "sagcl-data plan DIR > plan.toml, and give it to all with --config plan.toml",
                              ranks.size());
  tools::require_folder(f.data, "--data");
  if (!f.split.empty()) tools::require_file(f.split, "--split");
  tools::PlanWishes wishes{.folder = full_path(f.data), .split = f.split, .device = f.device, .set = f.set};
  if (!f.labelled.empty()) wishes.labelled = f.labelled;
  if (!f.time.empty()) wishes.minutes = tools::minutes_of(f.time);
  if (!f.method.empty()) wishes.set.push_back("train.method=" + f.method);
  if (!f.seed.empty()) wishes.set.push_back("train.seed=" + f.seed);
  if (!f.fold.empty()) wishes.set.push_back("data.fold=" + f.fold);
  const std::string text = to_toml(tools::make_plan(wishes));
  tools::say(text);
  return text;
}

/// What the settings of a run are: those it has so far, or those of a plan, or the defaults; then the preset, the file and
/// the flags, the later one wins.
struct Settings {
  semiagcl::RunSettings now;
  std::string changes;  ///< against those it has, a line each
};
Settings settings_of(const Flags& f, tools::RunState state, const std::string& plan) {
  semiagcl::RunSettings s;
  tools::apply_toml(s, plan, "the plan");
  if (state != tools::RunState::none) {
    const std::filesystem::path saved = std::filesystem::path(f.out) / "config.toml";
    s = tools::settings_in(engine::read_file(saved), saved.string());
    engine::require<engine::DataError>(
        !s.data.folder.empty(),
        "{}: is not whole, it names no data.folder; put it back (checkpoints hold it as their "
        "note 'config'), or start a new run in another folder",
        saved.string());
  }
  const semiagcl::RunSettings before = s;
  std::vector<std::string> by_hand;  // keys that a preset did not set
  if (!f.preset.empty()) tools::apply_preset(s, f.preset);
  if (!f.config.empty()) {
    tools::require_file(f.config, "--config");
    by_hand = tools::apply_toml(s, engine::read_file(f.config), f.config);
  }
  if (!f.data.empty()) s.data.folder = full_path(f.data);
  if (!f.weights.empty()) s.train.weights = full_path(f.weights);
  if (!f.method.empty()) s.train.method = f.method;
  if (!f.labelled.empty()) s.data.labelled = f.labelled;
  if (!f.fold.empty()) s.data.fold = f.fold;
  if (!f.seed.empty()) tools::apply_assignment(s, "train.seed=" + f.seed);
  if (!f.precision.empty()) s.train.precision = f.precision;
  for (const std::string& assignment : f.set) by_hand.push_back(tools::apply_assignment(s, assignment));
  if (std::filesystem::is_directory(s.train.weights))  // of a run
    s.train.weights = full_path(tools::read_checkpoint(s.train.weights).file.string());
  if (state != tools::RunState::none) {
    const std::string changed = tools::differences(tools::with_what_may_change(before, s), s);
    engine::require<UsageError>(changed.empty(),
                                "--resume continues the run as it was, but these settings differ (run | now):\n{}"
                                "leave the flags out, or start a new run in another folder",
                                changed);
  }
  tools::check(s);
  if (const std::string warning = tools::warning_of_unread(s, by_hand); !warning.empty()) tools::say(warning);
  return {s, state == tools::RunState::none ? "" : tools::differences(before, s)};
}

/// What is left to do for a run that is finished; false if it must be gone through again.
bool complete(const Flags& f) {
  const std::vector<std::string> missing = tools::missing_results(f.out);
  if (!missing.empty()) {
    tools::say(fmt::format("{} is finished, but without {}{}: it is evaluated again", f.out, missing.front(),
                           missing.size() > 1 ? fmt::format(" and {} more", missing.size() - 1) : ""));
    return false;
  }
  tools::say(fmt::format("{} is finished: nothing to do (to have it evaluated again, remove evaluation.json)", f.out));
  return true;
}

int list_methods() {
  for (const auto& m : semiagcl::training_methods()) fmt::print("{:<14} {}  [{}]\n", m.name, m.line, m.paper);
  return tools::exit_ok;
}

int run(const Flags& f, const std::string& command, engine::Communicator& ranks) {
  if (f.list_methods) return list_methods();
  if (f.list_presets) {
    for (const std::string& name : tools::preset_names()) fmt::print("{}\n", name);
    return tools::exit_ok;
  }
  engine::require<UsageError>(!f.resume || !f.out.empty(), "--resume needs --out RUN, the folder of the run to continue");
  engine::require<UsageError>(!f.out.empty() || f.dry_run || f.print_config,
                              "--out RUN is missing: the folder the run is written to");
  engine::require<UsageError>(
      f.fold.empty() || f.split.empty(),
      "--fold {} and --split {}: both divide the data; leave one out (sagcl-data split --fold writes "
      "a fold down)",
      f.fold, f.split);
  tools::catch_signals();
  std::optional<tools::RunLock> lock;  // before anybody looks at the folder
  if (!f.dry_run && !f.print_config && ranks.rank() == 0) lock.emplace(f.out);
  engine::wait_for_all(ranks);
  const tools::RunState there = f.out.empty() ? tools::RunState::none : tools::state_of(f.out);
  engine::require<UsageError>(f.resume || f.dry_run || f.print_config || there == tools::RunState::none,
                              "{} already holds a run: continue it with --resume, or choose another folder", f.out);
  const tools::RunState state = f.resume ? there : tools::RunState::none;
  if (f.threads > 0) engine::set_threads(f.threads);
  else tools::share_cores(ranks);
  const bool plans = state == tools::RunState::none && f.preset.empty() && f.config.empty() && !f.data.empty();
  if (!f.time.empty() && state != tools::RunState::none)
    tools::say("note: the plan of this run stands; --time is for a new one");
  engine::require<UsageError>(f.time.empty() || plans || state != tools::RunState::none,
                              "--time is for a plan, which is made without --preset and --config for a new run; say "
                              "--set train.steps=N");
  const std::string plan = plans && !f.print_config ? planned(f, ranks) : "";
  const auto [settings, changes] = settings_of(f, state, plan);
  if (f.print_config) {
    fmt::print("{}", tools::to_toml(settings, true));
    return tools::exit_ok;
  }
  const bool none = f.resume && state == tools::RunState::none;
  engine::require<UsageError>(!settings.data.folder.empty(), "{}--data DIR is missing: the folder of the images and labels",
                              none ? f.out + " holds no run to continue, and to begin one " : "");
  tools::require_folder(settings.data.folder, "--data");
  if (!f.split.empty()) tools::require_file(f.split, "--split");
  if (state == tools::RunState::finished && changes.empty() && complete(f)) {
    if (!f.no_report && ranks.rank() == 0 && !std::filesystem::exists(std::filesystem::path(f.out) / "report.html"))
      tools::say(fmt::format("report   {}", std::filesystem::absolute(tools::write_report(f.out)).string()));
    return tools::exit_ok;
  }
  const bool fresh = state == tools::RunState::none || state == tools::RunState::begun;
  if (f.resume && fresh) tools::say(fmt::format("{} holds no checkpoint yet: begun at step 0", f.out));
  if (fresh && !settings.train.weights.empty()) tools::require_file(settings.train.weights, "--weights");
  if (plans && lock) engine::write_file_atomically(std::filesystem::path(f.out) / "plan.toml", plan);
  return tools::train({.settings = settings,
                       .out = f.out,
                       .split = f.split,
                       .state = state,
                       .changes = changes,
                       .dry_run = f.dry_run,
                       .no_report = f.no_report,
                       .device = f.device,
                       .command = command,
                       .stop_after = f.stop_after},
                      ranks);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Trains a segmentation network from few labels and many unlabelled images, and reports on test cases.",
               "sagcl-train");
  Flags f;
  app.add_option("--preset", f.preset, "settings that come with the program (see --list-presets)");
  app.add_option("--config", f.config, "settings from a TOML file");
  app.add_option("--data", f.data, "folder of the images and labels");
  app.add_option("--out", f.out, "folder to write the run to");
  app.add_option("--split", f.split, "division of the data written by sagcl-data split (or a run's split.json)");
  app.add_option("--weights", f.weights,
                 "start from these weights: a run, its checkpoint, or safetensors in PyTorch's order");
  app.add_option("--method", f.method, "how to train (see --list-methods)");
  app.add_option("--labelled,--labeled", f.labelled, "labelled training cases: a count, a share, or ids a,b,c");
  app.add_option("--fold", f.fold,
                 "for cross-validation: 0 to 4, or 0/3 to 2/3: this part of the labelled patients is for validation");
  app.add_option("--time", f.time,
                 "what the training may take, 30m or 2h: without --preset a plan is made for it (default: 20m)");
  app.add_option("--seed", f.seed, "of weights, crops, augmentation and dropout");
  app.add_option("--set", f.set, "one setting, key=value; may be repeated")->allow_extra_args(false);
  app.add_option("--device", f.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--precision", f.precision,
                 "of convolutions: auto (a GPU: tf32, the CPU: fp32), fp32, tf32 or bf16 (and activations)");
  app.add_option("--threads", f.threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
  app.add_option("--stop-after", f.stop_after, "save and leave after so many steps, to be continued with --resume");
  app.add_flag("--resume", f.resume,
               "go on with the run in --out from its newest checkpoint, bit for bit; begin it if there is "
               "none");
  app.add_flag("--dry-run", f.dry_run, "check settings and data, time a step, write nothing");
  app.add_flag("--no-report", f.no_report, "leave report.html out");
  app.add_flag("--print-config", f.print_config, "print the resolved settings, each with what it means, and leave");
  app.add_flag("--list-methods", f.list_methods, "what each method is, in a line");
  app.add_flag("--list-presets", f.list_presets, "names of the presets");
  std::string command;
  for (int i = 0; i < argc; ++i) command += (i ? " " : "") + tools::shell_quoted(argv[i]);
  return tools::run_program(
      app, argc, argv,
      "  sagcl-train --data DIR --labelled 8 --time 30m --out runs/own      # settings by a plan, from the data\n"
      "  sagcl-train --preset hippocampus --data data/hippocampus --out runs/first\n"
      "  sagcl-train --preset hippocampus --data DIR --out runs/b --method supervised --labelled 8 --set train.steps=1000\n"
      "  for k in 0 1 2 3 4; do sagcl-train --data DIR --fold $k --out runs/fold$k; done   # then sagcl-predict with all\n"
      "  sagcl-train --resume --out runs/first\n"
      "  mpirun -np 2 sagcl-train --preset la --data DIR --out runs/c --set train.shards=2",
      [&] {
        const auto body = [&](engine::Communicator& ranks) { return run(f, command, ranks); };
        return tools::run_in_processes("sagcl-train", body);
      });
}
