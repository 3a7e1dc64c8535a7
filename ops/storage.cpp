#include "ops/storage.h"

#include "ops/backend.h"

namespace sagcl::ops {

std::function<autograd::Recipe(const Tensor&)> storage(const std::string& name) {
  engine::require<engine::UsageError>(name == "f32" || name == "bf16", "storage '{}' is unknown; choose f32 or bf16", name);
  if (name == "f32") return {};
  return [](const Tensor& x) -> autograd::Recipe {
    if (x.dtype() != engine::Dtype::f32) return {};
    Tensor half = Tensor::empty({2 * x.size()}, engine::Dtype::u8, x.device());
    backend(x.device()).to_bf16(x, half);
    return [half, shape = x.shape()] {
      Tensor y = Tensor::empty(shape, engine::Dtype::f32, half.device());
      backend(y.device()).from_bf16(half, y);
      return y;
    };
  };
}

}  // namespace sagcl::ops
