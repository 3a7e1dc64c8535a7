#include "ops/gather.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using engine::require;
using engine::Shape;

Variable gather(const Variable& x, const Tensor& index) {
  const engine::OperationName name("gather");
  checks::defined("gather", "x", x);
  require<engine::DtypeError>(index.defined() && index.dtype() == engine::Dtype::i32, "gather: index must be i32, got {}",
                              index.dtype());
  require<engine::DeviceError>(x.value().device() == index.device(),
                               "gather: x is on {} and index on {}; move one with to(device)", x.value().device(),
                               index.device());
  require(x.shape().rank() >= 1 && index.shape().rank() == 1, "gather: x [N, ..] and index [M] expected, got {} and {}",
          x.shape(), index.shape());
  const std::int64_t rows = x.shape()[0], count = index.size();
  if (index.device().is_cpu())
    for (std::int64_t m = 0; m < count; ++m) {
      const std::int32_t row = index.data<std::int32_t>()[m];
      require<engine::UsageError>(row >= 0 && row < rows, "gather: index[{}] = {} is outside [0, {})", m, row, rows);
    }
  Tensor y = Tensor::empty(x.shape().with(0, count), x.value().dtype(), x.value().device());
  backend(y.device()).gather_rows(x.value(), index, y);

  return record("gather", {x}, y, [index, shape = x.shape()](Tensor dy) -> Gradients {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    backend(dy.device()).scatter_rows(index, dy, dx);
    return {dx};
  });
}

Variable l2_normalise(const Variable& x, double eps) {
  const engine::OperationName name("l2_normalise");
  checks::defined("l2_normalise", "x", x);
  checks::floating("l2_normalise", x.value());
  require(x.shape().rank() >= 1 && x.shape().back() > 0, "l2_normalise: x needs a last axis with elements, got {}",
          x.shape());
  require<engine::UsageError>(eps > 0, "l2_normalise: eps must be positive, got {}", eps);
  Tensor y = Tensor::empty_like(x.value());
  Tensor norm = Tensor::empty({y.size() / y.shape().back()}, y.dtype(), y.device());
  backend(y.device()).l2_normalise(eps, x.value(), y, norm);

  return record("l2_normalise", {x}, y, [y, norm, eps](Tensor dy) -> Gradients {
    Tensor dx = Tensor::empty_like(y);
    backend(y.device()).l2_normalise_backward(eps, y, norm, dy, dx);
    return {dx};
  });
}

}  // namespace sagcl::ops
