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
#include "tools/run/config.h"
#include "tools/run/run_data.h"

namespace sagcl::tools {

using semiagcl::RunSettings;

namespace {

struct Size {
  PatchSize patch;
  std::int64_t width, batch_of_planes;
  double least_steps;
};
/// On ACDC in five minutes 1000 steps on 128x128 were better than 400 on 192x192, and twice the steps with half of the batch
/// were better on Sunnybrook and EBHI-Seg (docs/experiments.md); with a width of 4 a V-Net lost a class altogether.
constexpr Size sizes[] = {{PatchSize::tiny, 8, 4, 0},
                          {PatchSize::small, 8, 4, 1600},
                          {PatchSize::small, 8, 8, 2000},
                          {PatchSize::small, 16, 8, 1000},
                          {PatchSize::large, 16, 8, 3000}};
constexpr double most_steps = 20000;
constexpr double time_share = 0.85;   // the rest reads, evaluates and writes
constexpr double memory_share = 0.4;  // of what is free

/// A plan of one size, with what the user sets.
struct Candidate {
  std::vector<PlanLine> lines;  // the last is the width
  RunSettings settings;
  Rung rung;
};

/// From the least work up. What the user sets holds for all, so some become alike or impossible: they are left out.
/// UsageError for what cannot be trained at all.
std::vector<Candidate> candidates(const std::vector<PlanLine>& parts, const DataFacts& facts, const PlanWishes& wishes) {
  std::vector<Candidate> all;
  for (const Size& size : sizes) {
    std::vector<PlanLine> lines = parts;
    const std::vector<PlanLine> of_data = plan_of_data(facts, size.patch, size.batch_of_planes);
    lines.insert(lines.end(), of_data.begin(), of_data.end());
    lines.push_back({"network.width", std::to_string(size.width), ""});
    const RunSettings s = settings_with(lines, wishes);
    lines.back().value = std::to_string(s.network.width);
    // Voxels that the user chose are not made coarser.
    if (size.patch == PatchSize::tiny && !s.data.spacing.empty() && s.data.resize > 0) continue;
    check(s);
    const double work = double(s.train.patch[0] * s.train.patch[1] * s.train.patch[2] * s.network.width * s.train.batch);
    // Tiny is left out where it is hardly less work than small.
    if (size.patch == PatchSize::small && all.size() == 1 && work < 1.5 * all[0].rung.work) all.clear();
    if (all.empty() || work != all.back().rung.work) all.push_back({std::move(lines), s, {work, size.least_steps}});
  }
  return all;
}

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

std::size_t highest_rung(const std::vector<Rung>& rungs, double seconds, double bytes,
                         const std::function<StepCost(std::size_t)>& measure) {
  std::size_t best = 0;
  StepCost below = measure(0);
  for (std::size_t i = 1; i < rungs.size(); ++i) {
    const double growth = rungs[i].work / rungs[i - 1].work;
    if (growth * below.bytes > bytes) break;
    if (rungs[i].least_steps * growth * below.seconds > 2 * seconds) break;  // time may grow more slowly, not by half
    below = measure(i);
    if (below.bytes > bytes || rungs[i].least_steps * below.seconds > seconds) break;
    best = i;
  }
  return best;
}

Plan fit_to_machine(Plan plan, const DataFacts& facts, const PlanWishes& wishes) {
  const engine::DeviceChoice choice =
      engine::resolve_device(wishes.device, settings_with(plan.lines, wishes).train.precision);
  const double free = double(engine::runtime(choice.device).room().free), bytes = memory_share * free;
  plan.seen.push_back(fmt::format("machine: {}, {} threads, {} of memory free; {} for the training", choice.text,
                                  engine::threads(), size_text(std::size_t(free)), duration_text(60 * wishes.minutes)));

  std::vector<Candidate> all = candidates(plan.lines, facts, wishes);
  std::vector<Rung> rungs;
  for (const Candidate& one : all) rungs.push_back(one.rung);
  // Of the last: images as fine as they are. A step takes what its patch takes, whatever that is cut from.
  const RunData data = load_run_data(all.back().settings, wishes.split, nullptr, 4);
  std::vector<StepCost> costs;
  std::string tried;
  const double seconds = time_share * 60 * wishes.minutes;
  const std::size_t best = highest_rung(rungs, seconds, bytes, [&](std::size_t i) {
    const RunSettings& s = all[i].settings;
    costs.push_back(cost_of(s, data.training, choice.device));
    tried +=
        fmt::format("{}{} ms and {} for {} at {}", tried.empty() ? "a step takes " : ", ", number(1e3 * costs[i].seconds, 0),
                    size_text(std::size_t(costs[i].bytes)), fmt::join(s.train.patch, "x"), s.network.width);
    return costs[i];
  });
  plan.lines = std::move(all[best].lines);
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
