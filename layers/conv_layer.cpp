#include "layers/conv_layer.h"

#include "layers/init.h"

namespace sagcl::layers {

ConvLayer::ConvLayer(const Spec& spec, engine::Generator& random) : spec_(spec) {
  const engine::Extents& k = spec.kernel;
  const std::int64_t first = spec.transposed ? spec.in : spec.out, last = spec.transposed ? spec.out : spec.in;
  const std::int64_t fan_in = last * k.volume();  // PyTorch takes the weight's second axis, also when transposed
  w_ = Variable::parameter(uniform_fan_in({first, k[0], k[1], k[2], last}, fan_in, random));
  b_ = Variable::parameter(uniform_fan_in({spec.out}, fan_in, random));
}

Variable ConvLayer::forward(const Variable& x, bool norm_follows) const {
  return apply(x, {.stride = spec_.stride, .padding = spec_.padding, .norm_follows = norm_follows});
}

Variable ConvLayer::forward_planes(const Variable& x, std::int64_t whole_depth) const {
  const engine::Extents& p = spec_.padding;
  return apply(x, {.stride = spec_.stride, .padding = {{0, p[1], p[2]}}, .whole_depth = whole_depth});
}

Variable ConvLayer::apply(const Variable& x, const ops::ConvSpec& spec) const {
  return spec_.transposed ? ops::conv_transposed(x, w_, b_, spec) : ops::conv(x, w_, b_, spec);
}

void ConvLayer::describe(Parts& parts) {
  parts.parameter("w", w_);
  parts.parameter("b", b_);
}

}  // namespace sagcl::layers
