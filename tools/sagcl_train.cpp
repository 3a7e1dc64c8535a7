// sagcl-train: trains a segmentation network from few labels.
#include <CLI/CLI.hpp>

#include "engine/parallel.h"
#include "engine/safetensors.h"
#include "semiagcl/training_method.h"
#include "tools/config.h"
#include "tools/processes.h"
#include "tools/program.h"
#include "tools/training_run.h"

namespace {

using namespace sagcl;
using engine::fail;
using engine::UsageError;

struct Flags {
  std::string preset, config, data, out, split, weights, method, labeled, seed, precision, device = "auto";
  std::vector<std::string> set;
  int threads = 0;
  bool resume = false, dry_run = false, no_report = false, list_methods = false, list_presets = false, print_config = false;
  std::int64_t stop_after = 0;
};

/// Defaults, then the preset or file, then flags: the later one wins.
semiagcl::RunSettings settings_of(const Flags& f) {
  semiagcl::RunSettings s;
  const std::filesystem::path saved = std::filesystem::path(f.out) / "config.toml";
  if (f.resume) {
    tools::require_file(saved, "--out");
    tools::apply_toml(s, engine::read_file(saved), saved.string());
  }
  const semiagcl::RunSettings before = s;
  if (!f.preset.empty()) {
    const auto file = tools::preset_file(f.preset);
    s.preset = f.preset;
    tools::apply_toml(s, engine::read_file(file), file.string());
  }
  if (!f.config.empty()) {
    tools::require_file(f.config, "--config");
    tools::apply_toml(s, engine::read_file(f.config), f.config);
  }
  if (!f.data.empty()) s.data.folder = std::filesystem::absolute(f.data).lexically_normal().string();
  if (!f.weights.empty()) s.train.weights = std::filesystem::absolute(f.weights).lexically_normal().string();
  if (!f.method.empty()) s.train.method = f.method;
  if (!f.labeled.empty()) s.data.labeled = f.labeled;
  if (!f.seed.empty()) tools::apply_assignment(s, "train.seed=" + f.seed);
  if (!f.precision.empty()) s.train.precision = f.precision;
  for (const std::string& assignment : f.set) tools::apply_assignment(s, assignment);
  if (f.resume) {
    semiagcl::RunSettings moved = before;
    moved.data.folder = s.data.folder;  // the same data may lie elsewhere now; split.json holds their hashes
    moved.train.replay = s.train.replay;  // changes no bit, and the device may be another
    const std::string changed = tools::differences(moved, s);
    engine::require<UsageError>(changed.empty(), "--resume continues the run as it was, but these settings differ (run | now):\n{}"
                                "leave the flags out, or start a new run in another folder", changed);
  }
  tools::check(s);
  return s;
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
  const semiagcl::RunSettings settings = settings_of(f);
  if (f.print_config) {
    fmt::print("{}", tools::to_toml(settings));
    return tools::exit_ok;
  }
  engine::require<UsageError>(!settings.data.folder.empty(), "--data DIR is missing: the folder of the images and labels");
  engine::require<UsageError>(!f.out.empty() || f.dry_run, "--out RUN is missing: the folder the run is written to");
  tools::require_folder(settings.data.folder, "--data");
  if (!f.split.empty()) tools::require_file(f.split, "--split");
  if (!f.resume && !settings.train.weights.empty()) tools::require_file(settings.train.weights, "--weights");
  engine::require<UsageError>(f.resume || f.dry_run || !std::filesystem::exists(std::filesystem::path(f.out) / "config.toml"),
                              "{} already holds a run: continue it with --resume, or choose another folder", f.out);
  if (f.threads > 0) engine::set_threads(f.threads);
  else tools::share_cores(ranks);
  return tools::train({.settings = settings, .out = f.out, .split = f.split, .resume = f.resume, .dry_run = f.dry_run, .no_report = f.no_report,
                       .device = f.device, .command = command, .stop_after = f.stop_after}, ranks);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Trains a segmentation network from few labels and many unlabelled images, and reports on test cases.", "sagcl-train");
  Flags f;
  app.add_option("--preset", f.preset, "settings that come with the program (see --list-presets)");
  app.add_option("--config", f.config, "settings from a TOML file");
  app.add_option("--data", f.data, "folder of the images and labels");
  app.add_option("--out", f.out, "folder to write the run to");
  app.add_option("--split", f.split, "division of the data written by sagcl-data split (or a run's split.json)");
  app.add_option("--weights", f.weights, "start from the weights in this file: a run's checkpoint, or safetensors in PyTorch's order");
  app.add_option("--method", f.method, "how to train (see --list-methods)");
  app.add_option("--labeled", f.labeled, "labelled training cases: a count, a share, or ids a,b,c");
  app.add_option("--seed", f.seed, "of weights, crops, augmentation and dropout");
  app.add_option("--set", f.set, "one setting, key=value; may be repeated")->allow_extra_args(false);
  app.add_option("--device", f.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--precision", f.precision, "of convolutions: auto (a GPU: tf32, the CPU: fp32), fp32, tf32 or bf16");
  app.add_option("--threads", f.threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
  app.add_option("--stop-after", f.stop_after, "save and leave after so many steps, to be continued with --resume");
  app.add_flag("--resume", f.resume, "continue the run in --out from its newest checkpoint, bit for bit");
  app.add_flag("--dry-run", f.dry_run, "check settings and data, time a step, write nothing");
  app.add_flag("--no-report", f.no_report, "leave report.html out");
  app.add_flag("--print-config", f.print_config, "print the resolved settings and leave");
  app.add_flag("--list-methods", f.list_methods, "what each method is, in a line");
  app.add_flag("--list-presets", f.list_presets, "names of the presets");
  std::string command;
  for (int i = 0; i < argc; ++i) command += (i ? " " : "") + tools::shell_quoted(argv[i]);
  return tools::run_program(app, argc, argv,
                            "  sagcl-train --preset hippocampus --data data/hippocampus --out runs/first\n"
                            "  sagcl-train --preset hippocampus --data DIR --out runs/b --method supervised --labeled 8 --set train.steps=1000\n"
                            "  sagcl-train --resume --out runs/first\n"
                            "  mpirun -np 2 sagcl-train --preset la --data DIR --out runs/c --set train.shards=2",
                            [&] {
                              const auto body = [&](engine::Communicator& ranks) { return run(f, command, ranks); };
                              return tools::run_in_processes("sagcl-train", body);
                            });
}
