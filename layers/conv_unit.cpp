#include "layers/conv_unit.h"

#include "ops/dropout.h"

namespace sagcl::layers {

Variable ConvUnit::forward(const Variable& x, const Pass& pass) {
  return bn_.forward(conv_.forward(x, /*norm_follows=*/pass.training), pass);
}

Variable ConvUnit::forward_planes(const Variable& x, std::int64_t whole_depth) {
  return bn_.forward(conv_.forward_planes(x, whole_depth), {});
}

void ConvUnit::describe(Parts& parts) {
  parts.child("conv", conv_);
  parts.child("bn", bn_);
}

Variable drop(const Variable& x, double p, bool whole_channels, const Pass& pass) {
  if (!pass.training || !pass.dropout || p == 0) return x;
  engine::require<engine::UsageError>(pass.random, "dropout needs a random generator in the pass");
  const engine::RandomKey key = pass.random->next_key();
  return whole_channels ? ops::channel_dropout(x, p, key) : ops::dropout(x, p, key);
}

}  // namespace sagcl::layers
