#pragma once
#include "datasets/batches.h"
#include "semiagcl/settings/settings.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

/// The batches that settings and phase describe, whole.
datasets::BatchSpec batch_spec(const RunSettings& settings, const Phase& phase);

/// UsageError unless a phase's batches can be divided into halves and shards, and the shards among the processes.
void check_batches(const RunSettings& settings, const Phase& phase, int processes);

}  // namespace sagcl::semiagcl
