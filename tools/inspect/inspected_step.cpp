#include "tools/inspect/inspected_step.h"

#include "engine/devices/device_choice.h"
#include "engine/files/read_file.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/programs/signals.h"
#include "tools/run/config.h"
#include "tools/run/run_state.h"

namespace sagcl::tools {
namespace {

using engine::require;
using engine::UsageError;
using semiagcl::RunSettings;

RunSettings settings_of(const InspectedStepSpec& spec) {
  require<UsageError>(spec.run.empty() != spec.preset.empty(), "give a run folder, or --preset and --data");
  RunSettings s;
  if (!spec.run.empty()) {
    require_folder(spec.run, "RUN");
    const std::filesystem::path file = spec.run / "config.toml";
    require_file(file, "RUN, a run folder");
    s = settings_in(engine::read_file(file), file.string());
  } else {
    apply_preset(s, spec.preset);
  }
  const RunSettings before = s;
  if (!spec.data.empty()) s.data.folder = std::filesystem::absolute(spec.data).lexically_normal().string();
  for (const std::string& assignment : spec.set) apply_assignment(s, assignment);
  if (!spec.run.empty()) {
    const std::string changed = differences(with_what_may_change(before, s), s);
    require<UsageError>(changed.empty(),
                        "--set: the run would be another with these settings (run | now):\n{}leave them out", changed);
  }
  require<UsageError>(!s.data.folder.empty(), "--data DIR is missing: the folder of the images and labels");
  require_folder(s.data.folder, "--data");
  check(s);
  return s;
}

/// The one that is named, or the newest with fewer than `step` steps; none if there is none.
std::optional<Checkpoint> checkpoint_of(const InspectedStepSpec& spec) {
  if (!spec.checkpoint.empty()) {
    require_file(spec.checkpoint, "--checkpoint");
    return Checkpoint{spec.checkpoint, engine::read_safetensors(spec.checkpoint)};
  }
  return spec.run.empty() ? std::nullopt : newest_checkpoint_before(spec.run, spec.step);
}

}  // namespace

InspectedStep::InspectedStep(const InspectedStepSpec& spec)
    : settings_(settings_of(spec)),
      device_(engine::resolve_device(spec.device, settings_.train.precision).device),
      data_(load_run_data(settings_, spec.run.empty() ? "" : spec.run / "split.json")),
      trainer_(settings_, data_.training, device_) {
  const std::int64_t steps = settings_.train.steps;
  require<UsageError>(spec.step >= 0 && spec.step <= steps, "--step {}: the run has the steps 1 to {}", spec.step, steps);
  if (const std::optional<Checkpoint> from = checkpoint_of(spec)) {
    trainer_.restore(from->content, from->file.string());
    source_ = from->file.string();
  } else if (!settings_.train.weights.empty()) {
    trainer_.start_from(settings_.train.weights);
  }
  if (spec.step == 0) return;
  require<UsageError>(trainer_.steps_done() < spec.step, "--step {}: {} is {} steps further", spec.step, source_,
                      trainer_.steps_done() + 1 - spec.step);
  Progress progress({.label = "repeat", .total = spec.step - 1, .start = trainer_.steps_done()});
  while (trainer_.steps_done() < spec.step - 1) {
    leave_if_asked();
    trainer_.advance();
    progress.update(trainer_.steps_done(), fmt::format("loss {:.4f}", trainer_.reports().back().values.loss));
  }
}

std::string InspectedStep::text() const {
  const semiagcl::Phases& phases = trainer_.phases();
  const std::int64_t shards = settings_.train.shards;
  return fmt::format("step {} of {}, phase {} ({}){}", step(), settings_.train.steps,
                     phases[phases.at(trainer_.steps_done())].name, source_.empty() ? "from the beginning" : source_,
                     shards == 1 ? "" : fmt::format(", the first of its {} shards", shards));
}

}  // namespace sagcl::tools
