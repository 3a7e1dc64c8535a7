#pragma once
#include "layers/module.h"

namespace sagcl::layers {

/// Uniform in [-1/sqrt(fan_in), 1/sqrt(fan_in)]: what PyTorch gives convolution and linear layers, weights (Kaiming with
/// a = sqrt 5) and biases alike. The networks compared in the literature all start from it.
Tensor uniform_fan_in(const engine::Shape& shape, std::int64_t fan_in, engine::Generator& random);

}  // namespace sagcl::layers
