#include "tools/bench/paper_bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "engine/files/atomic_file.h"
#include "tools/programs/program.h"
#include "tools/programs/signals.h"
#include "tools/run/run_folder.h"
#include "tools/run/run_state.h"

extern char** environ;

namespace sagcl::tools {

namespace fs = std::filesystem;
using engine::require;
using engine::UsageError;

namespace {

/// Runs a program to its end, its results into `log`, its messages to ours; the exit code, 128 + signal if one ended it.
int run_program_to(const fs::path& log, const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& a : command) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  pid_t child = 0;
  const int failed = posix_spawn(&child, command[0].c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  require<engine::IoError>(failed == 0, "{}: cannot be started: {}", command[0], std::strerror(failed));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    if (stop_signal()) ::kill(child, stop_signal());  // sent to us alone: the run saves and leaves, and then so do we
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// What starts one run.
std::vector<std::string> command_of(const PaperBench& bench, const PaperRow& row, const std::string& labelled,
                                    const std::string& seed, const fs::path& run) {
  std::vector<std::string> command = {bench.train.string()};
  command.insert(command.end(), bench.arguments.begin(), bench.arguments.end());
  command.insert(command.end(), row.arguments.begin(), row.arguments.end());
  command.insert(command.end(), {"--labelled", labelled, "--seed", seed, "--out", run.string()});
  return command;
}

/// One run, started, resumed or left alone.
int run_once(const PaperBench& bench, const PaperRow& row, const std::string& labelled, const std::string& seed,
             const fs::path& run) {
  const std::string state = read_status(run).state;
  if (state == "finished" || state == "failed") return exit_ok;
  make_folder(run.parent_path());
  std::vector<std::string> command = command_of(bench, row, labelled, seed, run);
  command.push_back("--resume");
  command.push_back("--no-report");
  const int code = run_program_to(run.string() + ".txt", command);
  return code == exit_not_finite ? int(exit_ok) : code;  // written into the run's status
}

/// Adds a run's figures to its row.
void collect(RowResult& result, const RunRecord& run) {
  double peak = std::numeric_limits<double>::quiet_NaN();
  bool failed = false;
  for (const auto& [key, value] : run.status) {
    if (key == "peak_MiB") peak = std::strtod(value.c_str(), nullptr);
    failed = failed || (key == "state" && value == "failed");
  }
  result.not_finite += failed;
  if (!run.evaluation || failed) return;
  const Agreement& s = run.evaluation->foreground_mean;
  result.figures.push_back({100 * s.dice, 100 * s.jaccard, s.hd95, s.asd});
  result.minutes.push_back(run.seconds() / 60);
  result.peak_mib.push_back(peak);
}

}  // namespace

int run_paper_table(const PaperBench& bench) {
  const PaperTable& table = paper_table(bench.table);
  std::vector<const PaperRow*> rows;
  for (const PaperRow& row : table.rows)
    if (bench.rows.empty() || std::count(bench.rows.begin(), bench.rows.end(), row.id)) rows.push_back(&row);
  for (const std::string& id : bench.rows) {
    std::vector<std::string> ids;
    for (const PaperRow& row : table.rows) ids.push_back(row.id);
    require<UsageError>(std::count(ids.begin(), ids.end(), id) > 0, "Table {} has no row '{}'{}; its rows: {}", table.number,
                        id, did_you_mean(id, ids), fmt::join(ids, ", "));
  }
  if (!bench.list) make_folder(bench.out);
  catch_signals();
  std::vector<RowResult> results;
  std::string unit = "voxel";
  const std::size_t all = rows.size() * bench.labelled.size() * bench.seeds.size();
  std::size_t done = 0;
  for (const std::string& labelled : bench.labelled)
    for (const PaperRow* row : rows) {
      results.push_back({row, labelled, {}, {}, {}});
      for (const std::string& seed : bench.seeds) {
        const fs::path run = bench.out / row->id / fmt::format("labelled-{}-seed-{}", labelled, seed);
        if (bench.list) {
          std::string line;
          for (const std::string& word : command_of(bench, *row, labelled, seed, run))
            line += (line.empty() ? "" : " ") + shell_quoted(word);
          fmt::print("{}\n", line);
          continue;
        }
        say(fmt::format("run {} of {}: Table {}, {} ({}), labels {}, seed {}", ++done, all, table.number, row->id, row->name,
                        labelled, seed));
        const int code = run_once(bench, *row, labelled, seed, run);
        if (code != exit_ok) {
          say(fmt::format("{} ended with exit code {}; the same command goes on from here", run.string(), code));
          return code;
        }
        const RunRecord record = read_run(run);
        if (record.evaluation) unit = record.evaluation->unit;
        collect(results.back(), record);
        const fs::path base = bench.out / ("table-" + table.number);
        engine::write_file_atomically(base.string() + ".md", to_markdown(table, results, unit));
        engine::write_file_atomically(base.string() + ".csv", to_csv(table, results, unit));
        engine::write_file_atomically(base.string() + ".svg", to_svg(table, results));
      }
    }
  if (!bench.list) fmt::print("{}", to_markdown(table, results, unit));
  return exit_ok;
}

}  // namespace sagcl::tools
