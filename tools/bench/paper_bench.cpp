#include "tools/bench/paper_bench.h"

#include <algorithm>
#include <chrono>
#include <sstream>

#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"
#include "tools/bench/label_curve.h"
#include "tools/bench/paper_text.h"
#include "tools/bench/run_pool.h"
#include "tools/bench/run_records.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/programs/signals.h"
#include "tools/programs/text_table.h"
#include "tools/run/config.h"
#include "tools/run/run_state.h"

namespace sagcl::tools {

namespace fs = std::filesystem;

namespace {

bool is_over(const PlannedRun& run) {
  const std::string state = read_status(run.folder).state;
  return state == "failed" ||
         (state == "finished" && fs::exists(run.folder / "split.json") && missing_results(run.folder).empty());
}

/// The settings that sagcl-train makes of a run's command: the preset, the flags, then every --set.
semiagcl::RunSettings settings_of(const PlannedRun& run) {
  semiagcl::RunSettings s;
  std::vector<std::string> assignments;
  for (std::size_t i = 1; i + 1 < run.command.size(); i += 2) {  // every option has a value
    const std::string &option = run.command[i], &value = run.command[i + 1];
    if (option == "--preset") apply_preset(s, value);
    if (option == "--config") apply_toml(s, engine::read_file(value), value);
    if (option == "--method") s.train.method = value;
    if (option == "--labelled") s.data.labelled = value;
    if (option == "--seed") apply_assignment(s, "train.seed=" + value);
    if (option == "--set") assignments.push_back(value);
  }
  for (const std::string& assignment : assignments) apply_assignment(s, assignment);
  check(s);
  return s;
}

/// What a run said last: its error.
std::string last_line(const fs::path& log) {
  std::istringstream text(engine::read_file(log));
  std::string last;
  for (std::string line; std::getline(text, line);)
    if (!line.empty()) last = line;
  return last;
}

/// The runs of a table under way.
class PaperSession {
 public:
  PaperSession(const PaperBench& bench, const PaperPlan& plan)
      : bench_(bench),
        plan_(plan),
        head_{.table = paper_table(bench.table), .preset = plan.preset, .not_built = plan.not_built},
        results_(plan.runs.size()),
        steps_(settings_of(plan.runs.front()).train.steps),
        progress_(
            {.label = "runs", .total = std::int64_t(plan.runs.size()), .start = take_what_is_there(), .every_seconds = 60}) {
  }

  int run();

 private:
  std::int64_t take_what_is_there();
  void take(std::size_t index, RunOutcome result, const std::string& from);
  void take_folder(std::size_t index);
  void start_more();
  void ended(const RunPool::Ended& run);
  void write() const;
  void show();
  std::string name(std::size_t index) const;
  std::string key(std::size_t index) const;
  std::vector<RowResult> rows() const;

  const PaperBench& bench_;
  const PaperPlan& plan_;
  TableHead head_;
  std::vector<std::optional<RunOutcome>> results_;  // of plan.runs, those that are over
  std::int64_t steps_;
  Progress progress_;
  RunPool pool_;
  std::size_t next_ = 0;
  int code_ = exit_ok;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

std::string PaperSession::name(std::size_t index) const {
  const PlannedRun& run = plan_.runs[index];
  return fmt::format("{}, labels {}, seed {}", plan_.rows[run.row].row.id, run.labelled, run.seed);
}

std::string PaperSession::key(std::size_t index) const {
  return plan_.runs[index].folder.lexically_relative(bench_.out).string();
}

void PaperSession::take(std::size_t index, RunOutcome result, const std::string& from) {
  const semiagcl::RunSettings now = settings_of(plan_.runs[index]);
  const std::string changed = differences(with_what_may_change(result.settings, now), now);
  engine::require<engine::UsageError>(changed.empty(), "{}: is a run with other settings (run | now):\n{}{}", from, changed,
                                      "choose another folder with --out, or leave out --known");
  if (result.figures) head_.unit = result.unit;
  results_[index] = std::move(result);
}

/// Reads a run that is over.
void PaperSession::take_folder(std::size_t index) {
  const PlannedRun& run = plan_.runs[index];
  take(index, outcome(run.folder, run.seed), run.folder.string());
}

std::int64_t PaperSession::take_what_is_there() {
  std::int64_t there = 0, known = 0;
  const RunOutcomes elsewhere = read_outcomes(bench_.known);
  if (const fs::path records = bench_.out / "runs.jsonl"; fs::exists(records))
    (void)read_outcomes({records});  // or it fails now
  for (std::size_t i = 0; i < plan_.runs.size(); ++i) {
    if (is_over(plan_.runs[i])) take_folder(i), ++there;
    else if (const auto found = elsewhere.find(key(i)); found != elsewhere.end())
      take(i, found->second, key(i) + " of --known"), ++known;
  }
  if (!bench_.known.empty()) say(fmt::format("{} of {} runs are known", known, plan_.runs.size()));
  return there + known;
}

std::vector<RowResult> PaperSession::rows() const {
  std::vector<RowResult> rows;
  for (std::size_t i = 0; i < plan_.runs.size(); ++i) {
    const PlannedRun& run = plan_.runs[i];
    const PlannedRow& row = plan_.rows[run.row];
    auto found = std::find_if(rows.begin(), rows.end(), [&](const RowResult& r) {
      return r.planned.row.id == row.row.id && r.labelled == run.labelled;
    });
    if (found == rows.end()) found = rows.insert(rows.end(), RowResult{row, run.labelled});
    if (!results_[i]) continue;
    found->not_finite += results_[i]->not_finite;
    if (results_[i]->figures) found->seeds.push_back(*results_[i]->figures);
  }
  return rows;
}

void PaperSession::start_more() {
  while (next_ < plan_.runs.size() && pool_.running().size() < bench_.jobs) {
    const std::size_t index = next_++;
    if (results_[index]) continue;
    const PlannedRun& run = plan_.runs[index];
    make_folder(run.folder.parent_path());
    std::vector<std::string> command = run.command;
    command.insert(command.end(), {"--resume", "--no-report"});
    pool_.start(index, command, run.folder.string() + ".txt");
  }
}

void PaperSession::ended(const RunPool::Ended& run) {
  const fs::path log = plan_.runs[run.id].folder.string() + ".txt";
  if (run.code == exit_ok || run.code == exit_not_finite) {
    take_folder(run.id);
    const auto& figures = results_[run.id]->figures;
    progress_.message(fmt::format(
        "{}: {}", name(run.id),
        figures ? fmt::format("Dice {} in {}", number(figures->figures.dice, 1), duration_text(60 * figures->minutes))
        : results_[run.id]->not_finite ? "not finite"
                                       : "no test cases"));
    return write();
  }
  if (stop_signal() || code_ != exit_ok) return;  // it was asked to leave
  code_ = run.code;
  progress_.message(fmt::format("{} ended with exit code {}: {}\n{} holds all it said", name(run.id), run.code,
                                last_line(log), log.string()));
  pool_.stop();
}

void PaperSession::write() const {
  const fs::path base = bench_.out / ("table-" + head_.table.number);
  engine::write_file_atomically(base.string() + ".md", to_markdown(head_, rows()));
  engine::write_file_atomically(base.string() + ".csv", to_csv(head_, rows()));
  engine::write_file_atomically(base.string() + ".svg", to_svg(head_, rows()));
  if (head_.table.number == "labels") engine::write_file_atomically(bench_.out / "curve.svg", curve_svg(rows()));
  const fs::path records = bench_.out / "runs.jsonl";
  RunOutcomes over = fs::exists(records) ? read_outcomes({records}) : RunOutcomes();  // of rows not asked for now, too
  for (std::size_t i = 0; i < results_.size(); ++i)
    if (results_[i] && (results_[i]->figures || !over.count(key(i)))) over[key(i)] = *results_[i];
  engine::write_file_atomically(records, to_lines(over));
}

/// How far everything is: runs that are over, and the checkpoints of those under way.
void PaperSession::show() {
  double part = 0;
  std::vector<std::string> under_way;
  for (const std::size_t index : pool_.running()) {
    part += double(read_status(plan_.runs[index].folder).step) / double(steps_);
    under_way.push_back(name(index));
  }
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  const auto over = std::count_if(results_.begin(), results_.end(), [](const auto& r) { return r.has_value(); });
  const std::string now = under_way.empty() ? "" : fmt::format("; now {}", fmt::join(under_way, "; "));
  progress_.update(over, "after " + duration_text(elapsed) + now, part);
}

int PaperSession::run() {
  bool asked = false;
  for (;;) {
    if (stop_signal() && !asked) {
      asked = true;
      progress_.message("stopping: the runs under way save what they have");
      pool_.stop();
    }
    if (!stop_signal() && code_ == exit_ok) start_more();
    if (pool_.running().empty()) break;
    if (const auto one = pool_.wait()) ended(*one);
    show();
  }
  progress_.finish();
  if (stop_signal() || code_ != exit_ok) say("the same command goes on from here");
  if (stop_signal()) return stop_exit_code();
  if (code_ == exit_ok) write(), fmt::print("{}", to_markdown(head_, rows()));
  if (code_ == exit_ok && head_.table.number == "labels") fmt::print("\n{}", curve_text(rows()));
  return code_;
}

}  // namespace

int run_paper_table(const PaperBench& bench) {
  const PaperPlan plan = plan_of(bench);
  if (bench.table == "labels")
    for (const std::string& labelled : plan.labelled) labelled_patients(labelled);
  if (bench.list) {
    for (const std::string& id : plan.not_built) fmt::print("# {}: not built\n", id);
    for (const PlannedRun& run : plan.runs) {
      std::string line;
      for (const std::string& word : run.command) line += (line.empty() ? "" : " ") + shell_quoted(word);
      fmt::print("{}\n", line);
    }
    return exit_ok;
  }
  if (!plan.not_built.empty()) say(fmt::format("not built: {}", fmt::join(plan.not_built, ", ")));
  make_folder(bench.out);
  catch_signals();
  return PaperSession(bench, plan).run();
}

}  // namespace sagcl::tools
