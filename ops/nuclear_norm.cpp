#include "ops/nuclear_norm.h"

#include <algorithm>

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using engine::OperationName;
using engine::require;
using engine::Shape;

namespace {

void check_matrices(const char* op, const Tensor& a) {
  require<engine::UsageError>(a.defined(), "{}: A is an undefined value", op);
  checks::floating(op, a);
  require(a.shape().rank() == 3 && a.size() > 0, "{}: A [G, N, M] with at least one element expected, got {}", op,
          a.shape());
}

struct Svd {
  Tensor u, s, vt;
};

Svd decompose(const Tensor& a) {
  const std::int64_t graphs = a.shape()[0], n = a.shape()[1], m = a.shape()[2], k = std::min(n, m);
  const auto make = [&](const Shape& shape) { return Tensor::empty(shape, a.dtype(), a.device()); };
  Svd d{make({graphs, n, k}), make({graphs, k}), make({graphs, k, m})};
  backend(a.device()).svd(a, d.u, d.s, d.vt);
  return d;
}

/// Copies `rows` x `columns` of every graph between the upper left corners of [G, .., x_columns] and [G, .., y_columns].
void copy_corner(std::int64_t rows, std::int64_t columns, const Tensor& x, Tensor& y) {
  BlockCopy block{{x.shape()[0], x.shape()[1], x.shape()[2], 1, 1},
                  {y.shape()[0], y.shape()[1], y.shape()[2], 1, 1},
                  {},
                  {},
                  {x.shape()[0], rows, columns, 1, 1}};
  backend(x.device()).copy_block(block, x, y);
}

}  // namespace

Variable nuclear_norm(const Variable& a, const NuclearNormSpec& spec) {
  const OperationName name("nuclear_norm");
  check_matrices("nuclear_norm", a.value());
  const std::int64_t graphs = a.shape()[0];
  Tensor value = Tensor::empty({graphs}, a.value().dtype(), a.value().device()), subgradient = Tensor::empty_like(a.value());
  backend(value.device()).nuclear_norm(spec, a.value(), value, subgradient);

  return record("nuclear_norm", {a}, value, [subgradient, graphs](Tensor dvalue) -> Gradients {
    Tensor da = Tensor::empty_like(subgradient);  // da[g] = dvalue[g] U Vᵀ
    Backend& device = backend(da.device());
    device.expand(dvalue, {graphs, da.size() / graphs, 1}, 1, da);
    device.binary(Binary::multiply, da, subgradient, da);
    return {da};
  });
}

// The diagonal of an N x N matrix is the first column of the same numbers read with rows of N + 1.
Variable trace(const Variable& a) {
  const OperationName name("trace");
  check_matrices("trace", a.value());
  const std::int64_t graphs = a.shape()[0], n = a.shape()[1];
  require(a.shape()[2] == n, "trace: square matrices expected, got {}", a.shape());
  const auto make = [](const Tensor& like, const Shape& shape) { return Tensor::zeros(shape, like.dtype(), like.device()); };
  const Shape flat{graphs, 1, n * n}, longer{graphs, 1, n * (n + 1)}, skewed{graphs, n, n + 1}, column{graphs, n, 1};
  Tensor padded = make(a.value(), longer), diagonal = make(a.value(), column), y = make(a.value(), {graphs});
  copy_corner(1, n * n, a.value().reshape(flat), padded);
  copy_corner(n, 1, padded.reshape(skewed), diagonal);
  backend(y.device()).sum(diagonal, {graphs, n, 1}, 1, y);

  return record("trace", {a}, y, [=](Tensor dy) -> Gradients {
    Tensor ddiagonal = make(dy, column), dpadded = make(dy, skewed), da = make(dy, flat);
    backend(dy.device()).expand(dy, {graphs, n, 1}, 1, ddiagonal);
    copy_corner(n, 1, ddiagonal, dpadded);
    copy_corner(1, n * n, dpadded.reshape(longer), da);
    return {da.reshape({graphs, n, n})};
  });
}

Tensor singular_values(const Tensor& a) {
  const OperationName name("singular_values");
  check_matrices("singular_values", a);
  return decompose(a).s;
}

Tensor singular_value_threshold(const Tensor& a, double tau) {
  const OperationName name("singular_value_threshold");
  check_matrices("singular_value_threshold", a);
  require<engine::UsageError>(tau >= 0, "singular_value_threshold: tau must not be negative, got {}", tau);
  const Svd d = decompose(a);
  const std::int64_t graphs = a.shape()[0], n = a.shape()[1], m = a.shape()[2], k = std::min(n, m);
  Tensor s = Tensor::empty_like(d.s), scaled = Tensor::empty_like(d.u), y = Tensor::empty_like(a);
  Backend& device = backend(a.device());
  device.add_scalar(d.s, -tau, s);
  device.unary(Unary::relu, 0, s, s);
  device.expand(s, {graphs, n, k}, 1, scaled);
  device.binary(Binary::multiply, scaled, d.u, scaled);
  device.matmul({graphs, n, k, m, false, false}, scaled, d.vt, y);
  return y;
}

}  // namespace sagcl::ops
