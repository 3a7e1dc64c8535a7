#include "tools/bench/paper_plan.h"

#include <algorithm>

#include "engine/error.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

using engine::require;
using engine::UsageError;

namespace {

std::vector<std::string> pasting(const std::string& when) { return {"--set", "augment.copy_paste=" + when}; }

PlannedRow supervised_row(const PaperTable& table, Role role) {
  PaperRow row = table.supervised;
  row.arguments = {"--method", "supervised"};
  const auto paste = pasting(role == Role::supervised ? "never" : "always");
  row.arguments.insert(row.arguments.end(), paste.begin(), paste.end());
  switch (role) {
    case Role::supervised_pasted:
      row.id = "supervised-pasted", row.name = "supervised, copy-paste", row.printed.clear(), row.cost.reset();
      break;
    case Role::all_labels: row.id = "all-labels", row.name = "all labels", row.cost = table.all_labels_cost; break;
    default: row.id = row.name = "supervised";
  }
  return {std::move(row), role};
}

/// A row with its warm-up.
PlannedRow method_row(PaperRow row, WarmUp warm_up) {
  if (row.as_set) return {std::move(row), Role::method};
  const std::string when = warm_up == WarmUp::plain ? "never" : warm_up == WarmUp::pasted ? "warm_up" : "always";
  const auto paste = pasting(when);
  row.arguments.insert(row.arguments.end(), paste.begin(), paste.end());
  if (warm_up == WarmUp::pasted) row.id += "-pasted", row.name += ", pasted warm-up";
  if (warm_up == WarmUp::always) row.id += "-always", row.name += ", copy-paste";
  return {std::move(row), Role::method};
}

bool asked_for(const PaperBench& bench, const PaperRow& row) {
  return bench.rows.empty() || std::count(bench.rows.begin(), bench.rows.end(), row.id) > 0;
}

void check_rows(const PaperBench& bench, const PaperTable& table) {
  std::vector<std::string> ids = {"supervised"};
  for (const PaperRow& row : table.rows) ids.push_back(row.id);
  for (const std::string& id : bench.rows)
    require<UsageError>(std::count(ids.begin(), ids.end(), id) > 0, "Table {} has no row '{}'{}; its rows: {}", table.number,
                        id, did_you_mean(id, ids), fmt::join(ids, ", "));
}

PlannedRun planned(const PaperBench& bench, const PaperPlan& plan, std::size_t index, const std::string& labelled,
                   const std::string& seed) {
  const bool all = plan.rows[index].role == Role::all_labels;
  const PaperRow& row = plan.rows[index].row;
  PlannedRun run{
      .row = index, .labelled = all ? "all" : labelled, .seed = seed, .folder = bench.out / row.id, .command = {}};
  run.folder /= all ? "seed-" + seed : fmt::format("labelled-{}-seed-{}", labelled, seed);
  run.command = {bench.train.string(), bench.config.empty() ? "--preset" : "--config", plan.preset};
  const auto add = [&](const std::vector<std::string>& more) {
    run.command.insert(run.command.end(), more.begin(), more.end());
  };
  add(bench.arguments), add({"--set", "data.labelled_pick=block"});
  for (const std::string& assignment : bench.set) add({"--set", assignment});
  add(row.arguments);
  add({"--labelled", all ? "1.0" : labelled, "--seed", seed, "--out", run.folder.string()});
  return run;
}

}  // namespace

PaperPlan plan_of(const PaperBench& bench) {
  const PaperTable& table = paper_table(bench.table);
  require<UsageError>(bench.size == "cpu" || bench.size == "full", "--size {}: choose cpu or full", bench.size);
  check_rows(bench, table);
  PaperPlan plan;
  plan.preset = !bench.config.empty()   ? bench.config
                : !bench.preset.empty() ? bench.preset
                : bench.size == "cpu"   ? table.cpu
                                        : table.full;
  require<UsageError>(!plan.preset.empty(),
                      "{}: which settings? Give --preset NAME, or --config FILE, which may be a plan of "
                      "sagcl-data plan",
                      table.number);
  plan.labelled = bench.labelled.empty() ? table.labelled : bench.labelled;
  for (const Role role : {Role::supervised, Role::supervised_pasted, Role::all_labels})
    plan.rows.push_back(supervised_row(table, role));
  for (const PaperRow& row : table.rows) {
    if (!asked_for(bench, row)) continue;
    if (!row.built) plan.not_built.push_back(row.id);
    else if (row.pastes) plan.rows.push_back(method_row(row, WarmUp::plain));
    else
      for (const WarmUp warm_up : bench.warm_ups) plan.rows.push_back(method_row(row, warm_up));
  }
  for (const std::string& labelled : plan.labelled)
    for (const std::string& seed : bench.seeds)
      for (std::size_t i = 0; i < plan.rows.size(); ++i)
        if (plan.rows[i].role != Role::all_labels || labelled == plan.labelled.front())
          plan.runs.push_back(planned(bench, plan, i, labelled, seed));
  return plan;
}

}  // namespace sagcl::tools
