#pragma once
#include "datasets/batches.h"
#include "semiagcl/settings/settings.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

/// The batches that settings and phase describe, whole, of data with so many classes, background included.
datasets::BatchSpec batch_spec(const RunSettings& settings, const Phase& phase, std::int64_t classes);

/// UsageError unless a phase's batches can be divided into halves and shards, and the shards among the processes.
void check_batches(const RunSettings& settings, const Phase& phase, int processes);

}  // namespace sagcl::semiagcl
