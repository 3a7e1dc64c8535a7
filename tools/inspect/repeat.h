#pragma once
#include "tools/inspect/inspected_step.h"

namespace sagcl::tools {

/// Takes the step again and prints its loss and terms beside those in the run's metrics.jsonl. Exit code 0 if all have the
/// same bits, else 1. UsageError where the run did not write that step down.
int replay_step(const InspectedStepSpec& spec, bool json);

/// Takes steps with debug.check = finite, from the newest checkpoint before `step` (or the newest at all) to the step, or to
/// the end. NonFiniteError, which names the operation, where one is not finite; says so where all are.
int search_non_finite(InspectedStepSpec spec);

}  // namespace sagcl::tools
