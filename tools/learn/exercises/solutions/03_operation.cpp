#include <cmath>
#include <cstdint>

#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

using autograd::Tensor;

autograd::Variable swish(const autograd::Variable& x) {
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  Tensor y = Tensor::empty_like(x.value());
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const double v = x.value().data<double>()[i];
    y.data<double>()[i] = v * sigmoid(v);
  }
  return autograd::record("swish", {x}, y, [input = x.value(), sigmoid](Tensor dy) -> autograd::Gradients {
    Tensor dx = Tensor::empty_like(dy);
    for (std::int64_t i = 0; i < dx.size(); ++i) {
      const double v = input.data<double>()[i], s = sigmoid(v);
      dx.data<double>()[i] = dy.data<double>()[i] * (s + v * s * (1 - s));
    }
    return {dx};
  });
}

}  // namespace sagcl::exercises
