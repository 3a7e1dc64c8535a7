#pragma once
#include <cstdint>
#include <vector>

#include "engine/processes/communicator.h"
#include "engine/tensor.h"

namespace sagcl::engine {

/// Adds lists of equal shapes in pairs, pairs of pairs and so on. So the sum of 2^k lists has the same bits whether one
/// process adds them all or each of 2^j processes adds its consecutive share and sum_over_processes() the rest. At most
/// k + 1 lists are held at a time.
class PairwiseSum {
 public:
  void add(std::vector<Tensor> list);  ///< may write into its tensors
  std::vector<Tensor> take();          ///< the sum; UsageError unless 2^k lists were added

 private:
  std::vector<std::vector<Tensor>> partial_;  // of 2^k lists each, largest first
  std::uint64_t count_ = 0;
};

/// Replaces every tensor (f32 or f64) by its sum over the processes, a power of two of them, in PairwiseSum's order. Tensors
/// travel together in buckets of about 16 MiB; each process adds its part of a bucket and hands the sum to the others.
void sum_over_processes(Communicator& ranks, const std::vector<Tensor>& tensors);

}  // namespace sagcl::engine
