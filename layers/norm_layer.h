#pragma once
#include "layers/module.h"
#include "ops/norm.h"

namespace sagcl::layers {

/// Batch normalisation and the activation that follows it, with γ = 1, β = 0 and running statistics 0, 1 at the start.
class BatchNorm final : public Module {
 public:
  /// `slope` of the activation for negative values: 0 ReLU, 0.01 LeakyReLU, 1 none.
  explicit BatchNorm(std::int64_t channels, double slope = 0);
  Variable forward(const Variable& x, const Pass& pass);
  void describe(Parts& parts) override;

 private:
  double slope_;
  Variable gamma_, beta_;
  ops::RunningStatistics running_;
};

}  // namespace sagcl::layers
