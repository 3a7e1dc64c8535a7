#include "layers/norm_layer.h"

namespace sagcl::layers {

BatchNorm::BatchNorm(std::int64_t channels, double slope)
    : slope_(slope),
      gamma_(Variable::parameter(Tensor::full({channels}, 1))),
      beta_(Variable::parameter(Tensor::zeros({channels}))),
      running_{Tensor::zeros({channels}), Tensor::full({channels}, 1)} {}

Variable BatchNorm::forward(const Variable& x, const Pass& pass) {
  return ops::batch_norm(x, gamma_, beta_, running_,
                         {.slope = slope_, .momentum = pass.update_statistics ? 0.1 : 0.0, .training = pass.training});
}

void BatchNorm::describe(Parts& parts) {
  parts.parameter("gamma", gamma_);
  parts.parameter("beta", beta_);
  parts.buffer("mean", running_.mean);
  parts.buffer("var", running_.variance);
}

}  // namespace sagcl::layers
