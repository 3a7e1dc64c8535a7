#pragma once
#include "datasets/batches.h"
#include "semiagcl/training/settings.h"

namespace sagcl::semiagcl {

/// The batches that the settings describe, whole; with unlabelled samples or without (supervised training, the warm-up).
datasets::BatchSpec batch_spec(const RunSettings& settings, bool with_unlabelled);

/// UsageError unless the batch can be divided into its halves and shards, and the shards among the processes.
void check_batches(const RunSettings& settings, bool with_unlabelled, int processes);

}  // namespace sagcl::semiagcl
