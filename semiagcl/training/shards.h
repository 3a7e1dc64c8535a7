#pragma once
#include "engine/processes/communicator.h"
#include "engine/processes/pairwise_sum.h"
#include "layers/optimiser.h"
#include "semiagcl/training/step_log.h"
#include "semiagcl/training/training_method.h"

namespace sagcl::semiagcl {

/// What one shard of a step gave beside its gradients.
struct ShardReport {
  StepValues values;  ///< loss and terms
  Findings found;
  std::string failure;             ///< why its loss is not finite; empty if all is well
  std::vector<Tensor> statistics;  ///< running statistics after its forwards, on the host; filled by ShardAverage
};

/// One step over a batch in 2^k shards, which one process may run one after the other (gradient accumulation) or several
/// side by side:
///
///   ShardAverage average(ranks, shards, modules, parameters);
///   for (each shard of this process) {
///     average.begin();
///     // forward and backward of loss / shards
///     average.end(report, gradients);
///   }
///   reports = average.finish();  // of all shards, in order, the same in every process
///   optimisers.apply(average.gradients());
///
/// Every shard starts from the step's running statistics, and their mean over the shards is the result. Gradients are
/// added in PairwiseSum's order, so nothing depends on how many processes there are.
class ShardAverage {
 public:
  ShardAverage(engine::Communicator& ranks, std::int64_t shards, const NamedModules& modules,
               const layers::NamedParameters& parameters);
  void begin();
  void end(ShardReport report, const layers::NamedGradients& gradients);
  std::vector<ShardReport> finish();
  const layers::NamedGradients& gradients() const { return gradients_; }

 private:
  std::vector<ShardReport> exchange();
  void average_statistics(const std::vector<ShardReport>& reports);

  engine::Communicator& ranks_;
  const std::int64_t shards_;
  const layers::NamedParameters& parameters_;
  std::vector<Tensor*> statistics_;  // buffers of all modules
  std::vector<Tensor> before_;       // their values when the step began
  std::vector<ShardReport> own_;
  engine::PairwiseSum sum_;
  layers::NamedGradients gradients_;
};

/// UsageError naming the processes and the step unless weights and running statistics have the same bits in all of them.
void require_equal_weights(engine::Communicator& ranks, const NamedModules& modules, std::int64_t step);

}  // namespace sagcl::semiagcl
