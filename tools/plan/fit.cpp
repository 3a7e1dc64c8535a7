#include "tools/plan/fit.h"

#include <algorithm>
#include <cmath>

#include "engine/devices/device_choice.h"
#include "engine/devices/device_registry.h"
#include "engine/parallel.h"
#include "semiagcl/training/trainer.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/programs/text_table.h"
#include "tools/run/run_data.h"

namespace sagcl::tools {

using semiagcl::RunSettings;

namespace {

/// On ACDC in five minutes 922 steps on 128x128 were better than 400 on 192x192 (docs/experiments.md); with a width of 4 a
/// V-Net lost a class altogether.
const std::vector<Rung> ladder = {
    {PatchSize::tiny, 8, 0}, {PatchSize::small, 8, 800}, {PatchSize::small, 16, 1000}, {PatchSize::large, 16, 3000}};
constexpr double most_steps = 20000;
constexpr double time_share = 0.85;   // the rest reads, evaluates and writes
constexpr double memory_share = 0.4;  // of what is free

double voxels_of(const RunSettings& s) { return double(s.train.patch[0] * s.train.patch[1] * s.train.patch[2]); }

/// Of a step behind the first, of the method's own phase or of the supervised one.
StepCost cost_of_phase(RunSettings s, const semiagcl::TrainingData& data, engine::Device device, bool own_phase) {
  constexpr int steps = 3;
  s.train.steps = steps, s.train.restarts = 0, s.debug = {}, s.train.weights.clear();
  s.method.warm_up_share = own_phase ? 0 : 1;
  engine::CachingAllocator& memory = engine::allocator(device);
  const std::size_t before = memory.statistics().in_use;
  memory.reset_peak();
  semiagcl::Trainer trainer(s, data, device);
  StepCost cost{1e9, 0};
  for (int i = 0; i < steps; ++i) {
    trainer.advance();
    for (const semiagcl::StepReport& report : trainer.reports())
      if (i > 0) cost.seconds = std::min(cost.seconds, report.seconds);
  }
  cost.bytes = double(memory.statistics().peak - before);
  return cost;
}

/// Of a step on the mean of the two phases, which take half of the steps each; the memory of the dearer one.
StepCost cost_of(const RunSettings& s, const semiagcl::TrainingData& data, engine::Device device) {
  StepCost cost = cost_of_phase(s, data, device, false);
  if (s.train.method == "supervised") return cost;
  const StepCost own = cost_of_phase(s, data, device, true);
  return {(cost.seconds + own.seconds) / 2, std::max(cost.bytes, own.bytes)};
}

}  // namespace

std::size_t highest_rung(const std::vector<Rung>& rungs, const std::vector<double>& voxels, double seconds, double bytes,
                         const std::function<StepCost(std::size_t)>& measure) {
  std::size_t best = 0;
  StepCost below = measure(0);
  for (std::size_t i = 1; i < rungs.size(); ++i) {
    const double growth = voxels[i] * double(rungs[i].width) / (voxels[i - 1] * double(rungs[i - 1].width));
    if (growth * below.bytes > bytes) break;
    if (rungs[i].least_steps * growth * below.seconds > 2 * seconds) break;  // time may grow more slowly, not by half
    below = measure(i);
    if (below.bytes > bytes || rungs[i].least_steps * below.seconds > seconds) break;
    best = i;
  }
  return best;
}

Plan fit_to_machine(Plan plan, const DataFacts& facts, const PlanWishes& wishes) {
  const engine::DeviceChoice choice = engine::resolve_device(wishes.device, "auto");
  const double free = double(engine::runtime(choice.device).room().free), bytes = memory_share * free;
  plan.seen.push_back(fmt::format("machine: {}, {} threads, {} of memory free; {} for the training", choice.text,
                                  engine::threads(), size_text(std::size_t(free)), duration_text(60 * wishes.minutes)));

  // What the user sets holds on every rung, so some become alike.
  std::vector<Rung> rungs;
  std::vector<RunSettings> settings;
  std::vector<std::vector<PlanLine>> lines;
  std::vector<double> voxels;
  for (Rung rung : ladder) {
    std::vector<PlanLine> of_rung = with_lines(plan, plan_of_data(facts, rung.size)).lines;
    of_rung.push_back({"network.width", std::to_string(rung.width), ""});
    const RunSettings s = settings_with(of_rung, wishes);
    rung.width = s.network.width, of_rung.back().value = std::to_string(rung.width);
    if (!rungs.empty() && rungs.back().width == rung.width && voxels.back() == voxels_of(s)) continue;
    if (rungs.size() == 1 && rungs.back().width == rung.width && 2 * voxels.back() > voxels_of(s))  // hardly less work
      rungs.clear(), settings.clear(), lines.clear(), voxels.clear();
    rungs.push_back(rung), settings.push_back(s), lines.push_back(std::move(of_rung)), voxels.push_back(voxels_of(s));
  }

  const RunData data = load_run_data(settings[0], wishes.split, nullptr, 4);
  std::vector<StepCost> costs;
  std::string tried;
  const double seconds = time_share * 60 * wishes.minutes;
  const std::size_t best = highest_rung(rungs, voxels, seconds, bytes, [&](std::size_t i) {
    costs.push_back(cost_of(settings[i], data.training, choice.device));
    tried +=
        fmt::format("{}{} ms and {} for {} at {}", tried.empty() ? "a step takes " : ", ", number(1e3 * costs[i].seconds, 0),
                    size_text(std::size_t(costs[i].bytes)), fmt::join(settings[i].train.patch, "x"), rungs[i].width);
    return costs[i];
  });
  plan.lines = std::move(lines[best]);
  plan.lines.back().reason = tried + (costs[best].bytes > bytes ? ": more than two fifths of the free memory, if it suffices"
                                                                : ": the most that leaves enough steps");
  const double steps = std::clamp(std::floor(seconds / costs[best].seconds / 50) * 50, 50.0, most_steps);
  plan.lines.push_back({"train.steps", fmt::format("{:.0f}", steps),
                        fmt::format("{} of {:.3g} s{}", duration_text(steps * costs[best].seconds), costs[best].seconds,
                                    steps < 600 ? ": few, more time would help" : "")});
  plan.lines.push_back({"evaluation.checkpoint_every", fmt::format("{:.0f}", std::max(50.0, std::floor(steps / 4))),
                        "a quarter of the steps"});
  return plan;
}

}  // namespace sagcl::tools
