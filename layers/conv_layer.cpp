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

Variable ConvLayer::forward(const Variable& x) const {
  const ops::ConvSpec spec{.stride = spec_.stride, .padding = spec_.padding};
  return spec_.transposed ? ops::conv_transposed(x, w_, b_, spec) : ops::conv(x, w_, b_, spec);
}

void ConvLayer::describe(Parts& parts) {
  parts.parameter("w", w_);
  parts.parameter("b", b_);
}

}  // namespace sagcl::layers
