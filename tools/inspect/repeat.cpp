#include "tools/inspect/repeat.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/programs/signals.h"
#include "tools/programs/text_table.h"
#include "tools/run/run_folder.h"
#include "tools/run/run_state.h"

namespace sagcl::tools {

int replay_step(const InspectedStepSpec& spec, bool json) {
  engine::require<engine::UsageError>(!spec.run.empty(), "replay needs a run folder, which holds what the step was");
  InspectedStep subject(spec);
  const std::int64_t step = subject.step();
  const RunRecord run = read_run(spec.run);
  const auto written = std::find_if(run.train.begin(), run.train.end(), [&](const TrainPoint& p) { return p.step == step; });
  engine::require<engine::UsageError>(written != run.train.end(), "--step {}: {} does not hold this step; it has {}", step,
                                      (spec.run / "metrics.jsonl").string(), run.steps());
  subject.trainer().advance();
  const semiagcl::StepReport again = subject.trainer().reports().back();
  std::vector<std::tuple<std::string, double, double>> values{{"loss", written->loss, again.values.loss}};
  for (const auto& [name, value] : again.values.terms) {
    const auto found = written->terms.find(name);
    values.emplace_back(name, found == written->terms.end() ? std::nan("") : found->second, value);
  }
  bool same = true;
  TextTable table({"value", "written down", "again"});
  nlohmann::ordered_json all = {{"schema_version", 1}, {"step", step}};
  for (const auto& [name, before, now] : values) {
    same = same && before == now;
    table.row({name, fmt::format("{:.17g}", before), fmt::format("{:.17g}", now)});
    all["values"][name] = {before, now};
  }
  all["same_bits"] = same;
  if (json) fmt::print("{}\n", json_text(all, 1));
  else
    fmt::print("{}\n\n{}\n{}\n", fmt::format("step {} of {}", step, spec.run.string()), table.text(),
               same ? "The same bits."
                    : "Other values: another device, number of threads, version or precision took the step; the run's is in "
                      "env.json.");
  return same ? exit_ok : exit_internal;
}

int search_non_finite(InspectedStepSpec spec) {
  const std::int64_t last = std::exchange(spec.step, 0);
  spec.set.push_back("debug.check=finite");
  if (last > 0 && !spec.run.empty() && spec.checkpoint.empty()) {  // from the checkpoint before it, or the beginning
    if (const std::optional<Checkpoint> from = newest_checkpoint_before(spec.run, last)) spec.checkpoint = from->file;
    else spec.step = 1;
  }
  InspectedStep subject(spec);
  semiagcl::Trainer& trainer = subject.trainer();
  const std::int64_t end = last > 0 ? last : subject.settings().train.steps;
  say(subject.text());
  const std::int64_t first = trainer.steps_done() + 1;
  engine::require<engine::UsageError>(
      first <= end,
      "nan: the run goes on at step {}, so there is no step to look at up to {}; --step N begins at the "
      "checkpoint before N, and a checkpoint before the end is kept by evaluation.checkpoint_every",
      first, end);
  Progress progress({.label = "search", .total = end, .start = trainer.steps_done()});
  while (trainer.steps_done() < end) {
    leave_if_asked();
    trainer.advance();
    progress.update(trainer.steps_done(), fmt::format("loss {:.4f}", trainer.reports().back().values.loss));
  }
  progress.finish();
  fmt::print("Loss and gradients of the steps {} to {} are finite.\n", first, trainer.steps_done());
  return exit_ok;
}

}  // namespace sagcl::tools
