#include "ops/storage.h"

#include "ops/arithmetic.h"

namespace sagcl::ops {

std::function<autograd::Recipe(const Tensor&)> storage(const std::string& name) {
  engine::require<engine::UsageError>(name == "f32" || name == "bf16", "storage '{}' is unknown; choose f32 or bf16", name);
  if (name == "f32") return {};
  return [](const Tensor& x) -> autograd::Recipe {
    if (x.dtype() != engine::Dtype::f32) return {};
    const Tensor half = converted(x, engine::Dtype::bf16);
    return [half] { return converted(half, engine::Dtype::f32); };
  };
}

}  // namespace sagcl::ops
