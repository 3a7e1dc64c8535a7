#pragma once
#include "autograd/tape.h"

namespace sagcl::ops {

using autograd::Tensor;
using autograd::Variable;

/// Running statistics of a batch norm, [C] each. The variance is unbiased (n - 1), as PyTorch keeps it, while
/// normalisation uses the biased one.
struct RunningStatistics {
  Tensor mean, variance;
};

struct NormSpec {
  double eps = 1e-5;
  double slope = 1;       ///< of the activation that follows for x <= 0: 1 none, 0 ReLU, 0.01 LeakyReLU
  double momentum = 0.1;  ///< weight of the new statistics; 0 leaves the running ones alone
  bool training = true;   ///< statistics of this batch, else the running ones
};

/// y = act(γ (x − mean) / sqrt(variance + eps) + β), statistics per channel over batch and volume.
/// x [.., C] (rank 2 to 5), γ β [C]. In training the running statistics move by `momentum`.
/// Its output is cheaper to compute again than to keep: later operations save a recipe instead of y.
/// UsageError in training with a single value per channel, which has no variance.
Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, RunningStatistics& running,
                    const NormSpec& spec);
/// The same over each image alone; x [N, .., C].
Variable instance_norm(const Variable& x, const Variable& gamma, const Variable& beta, const NormSpec& spec = {});
/// The same over each image and each of `groups` groups of channels; C divisible by groups.
Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, std::int64_t groups,
                    const NormSpec& spec = {});

}  // namespace sagcl::ops
