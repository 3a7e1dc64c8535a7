#pragma once
#include <functional>

#include "tools/plan/plan.h"

/// Patch, width and number of steps by what a step of the training takes on this machine.
namespace sagcl::tools {

/// How much work a step is, in voxels times width, and how many steps must fit into the time for it to be chosen.
struct Rung {
  double work, least_steps;
};

/// What a step takes.
struct StepCost {
  double seconds = 0, bytes = 0;
};

/// The highest rung, of those from the lowest up, whose step fits `bytes` of memory and whose least steps fit `seconds`; the
/// lowest need fit neither. `measure` is asked for one rung after the other as far as they fit, and never for one that would
/// need more than `bytes` by the one below it: memory grows with the work.
std::size_t highest_rung(const std::vector<Rung>& rungs, double seconds, double bytes,
                         const std::function<StepCost(std::size_t)>& measure);

/// Takes a few steps on each rung with a few cases. A step may take 0.4 of the memory that is free: cases take up to half
/// (data.memory). Throws what reading cases and training throw.
Plan fit_to_machine(Plan plan, const DataFacts& facts, const PlanWishes& wishes);

}  // namespace sagcl::tools
