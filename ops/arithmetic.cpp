#include "ops/arithmetic.h"

#include "engine/operation_name.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::recording;
using autograd::Saved;

namespace {

void check(const char* op, const Variable& a, const Variable& b,
           void (*kind)(const char*, const Tensor&) = checks::floating) {
  checks::defined(op, "a", a);
  checks::defined(op, "b", b);
  kind(op, a.value());
  checks::same_shape(op, "a", a.value(), "b", b.value());
  checks::same_kind(op, "a", a.value(), "b", b.value());
}

Tensor compute(Binary f, const Tensor& a, const Tensor& b) {
  Tensor y = Tensor::empty_like(a);
  backend(a.device()).binary(f, a, b, y);
  return y;
}

Tensor compute(Unary f, const Tensor& x) {
  Tensor y = Tensor::empty_like(x);
  backend(x.device()).unary(f, 0, x, y);
  return y;
}

/// dx from dy, in dy's memory if it is free. `kept` stands for x and y alike: the derivative needs only one of them.
Tensor through(Unary f, const Tensor& kept, Tensor dy) {
  Tensor dx = checks::reuse(dy);
  backend(dy.device()).unary_backward(f, 0, kept, kept, dy, dx);
  return dx;
}

Tensor scaled(double factor, const Tensor& x, Tensor y) {
  backend(x.device()).scale_add(factor, x, 0, {}, y);
  return y;
}

/// A recipe for f(a, b) when both can be made again; an empty one otherwise.
autograd::Recipe again(Binary f, const Variable& a, const Variable& b) {
  if (!a.has_recipe() || !b.has_recipe()) return {};
  return [f, a = a.saved(), b = b.saved()] { return compute(f, a.get(), b.get()); };
}

}  // namespace

Variable add(const Variable& a, const Variable& b) {
  const engine::OperationName name("add");
  check("add", a, b, checks::activation);
  return record(
      "add", {a, b}, compute(Binary::add, a.value(), b.value()),
      [](Tensor dy) -> Gradients {
        return {dy, dy};
      },  // shared: the tape copies before it adds to one of them
      again(Binary::add, a, b));
}

Variable subtract(const Variable& a, const Variable& b) {
  const engine::OperationName name("subtract");
  check("subtract", a, b);
  return record(
      "subtract", {a, b}, compute(Binary::subtract, a.value(), b.value()),
      [want_b = recording(b)](Tensor dy) -> Gradients {
        return {dy, want_b ? scaled(-1, dy, Tensor::empty_like(dy)) : Tensor()};
      },
      again(Binary::subtract, a, b));
}

Variable multiply(const Variable& a, const Variable& b) {
  const engine::OperationName name("multiply");
  check("multiply", a, b);
  const Saved for_da = recording(a) ? b.saved() : Saved(), for_db = recording(b) ? a.saved() : Saved();
  return record("multiply", {a, b}, compute(Binary::multiply, a.value(), b.value()),
                [for_da, for_db](Tensor dy) -> Gradients {
                  return {for_da.defined() ? compute(Binary::multiply, dy, for_da.get()) : Tensor(),
                          for_db.defined() ? compute(Binary::multiply, dy, for_db.get()) : Tensor()};
                });
}

Variable divide(const Variable& a, const Variable& b) {
  const engine::OperationName name("divide");
  check("divide", a, b);
  Tensor y = compute(Binary::divide, a.value(), b.value());
  return record("divide", {a, b}, y,
                [b = b.saved(), y = recording(b) ? y : Tensor(), want_a = recording(a)](Tensor dy) -> Gradients {
                  Tensor da = compute(Binary::divide, dy, b.get());
                  if (!y.defined()) return {da, {}};
                  Tensor db = compute(Binary::multiply, da, y);  // d(a/b)/db = -y/b
                  return {want_a ? da : Tensor(), scaled(-1, db, db)};
                });
}

Variable scale(const Variable& x, double factor) {
  const engine::OperationName name("scale");
  checks::defined("scale", "x", x);
  checks::floating("scale", x.value());
  return record("scale", {x}, scaled(factor, x.value(), Tensor::empty_like(x.value())),
                [factor](Tensor dy) -> Gradients { return {scaled(factor, dy, checks::reuse(dy))}; });
}

Variable scale(const Variable& x, const Tensor& factor) {
  const engine::OperationName name("scale");
  checks::defined("scale", "x", x);
  checks::floating("scale", x.value());
  engine::require<engine::DtypeError>(factor.defined() && factor.dtype() == engine::Dtype::f64 && factor.size() == 1,
                                      "scale: the factor must be one f64 number on the device");
  const auto scaled_by = [factor](const Tensor& from, Tensor to) {
    backend(from.device()).scale_by(factor, from, to);
    return to;
  };
  return record("scale", {x}, scaled_by(x.value(), Tensor::empty_like(x.value())),
                [scaled_by](Tensor dy) -> Gradients { return {scaled_by(dy, checks::reuse(dy))}; });
}

Variable add_scalar(const Variable& x, double term) {
  const engine::OperationName name("add_scalar");
  checks::defined("add_scalar", "x", x);
  checks::floating("add_scalar", x.value());
  Tensor y = Tensor::empty_like(x.value());
  backend(y.device()).add_scalar(x.value(), term, y);
  return record("add_scalar", {x}, y, [](Tensor dy) -> Gradients { return {std::move(dy)}; });
}

Tensor converted(const Tensor& x, engine::Dtype dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  backend(x.device()).convert(x, y);
  return y;
}

Variable convert(const Variable& x, engine::Dtype dtype) {
  const engine::OperationName name("convert");
  checks::defined("convert", "x", x);
  checks::activation("convert", x.value());
  if (x.value().dtype() == dtype) return x;
  return record(
      "convert", {x}, converted(x.value(), dtype),
      [from = x.value().dtype()](Tensor dy) -> Gradients { return {converted(dy, from)}; },
      [x = x.saved(), dtype] { return converted(x.get(), dtype); });
}

Variable exp(const Variable& x) {
  const engine::OperationName name("exp");
  checks::defined("exp", "x", x);
  checks::floating("exp", x.value());
  Tensor y = compute(Unary::exp, x.value());
  return record("exp", {x}, y, [y](Tensor dy) -> Gradients { return {through(Unary::exp, y, std::move(dy))}; });
}

Variable log(const Variable& x) {
  const engine::OperationName name("log");
  checks::defined("log", "x", x);
  checks::floating("log", x.value());
  return record("log", {x}, compute(Unary::log, x.value()),
                [x = x.saved()](Tensor dy) -> Gradients { return {through(Unary::log, x.get(), std::move(dy))}; });
}

Variable sqrt(const Variable& x) {
  const engine::OperationName name("sqrt");
  checks::defined("sqrt", "x", x);
  checks::floating("sqrt", x.value());
  Tensor y = compute(Unary::sqrt, x.value());
  return record("sqrt", {x}, y, [y](Tensor dy) -> Gradients { return {through(Unary::sqrt, y, std::move(dy))}; });
}

Variable square(const Variable& x) {
  const engine::OperationName name("square");
  checks::defined("square", "x", x);
  checks::floating("square", x.value());
  return record("square", {x}, compute(Unary::square, x.value()),
                [x = x.saved()](Tensor dy) -> Gradients { return {through(Unary::square, x.get(), std::move(dy))}; });
}

}  // namespace sagcl::ops
