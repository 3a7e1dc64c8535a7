#include "ops/matmul.h"

#include "engine/operation_name.h"
#include "engine/work.h"
#include "ops/backend.h"
#include "ops/checks.h"

namespace sagcl::ops {

using autograd::Gradients;
using autograd::record;
using autograd::recording;
using autograd::Saved;
using engine::require;
using engine::Shape;

namespace {

/// op(a) [G,m,k] times op(b) [G,k,n], shaped as asked.
Tensor product(MatmulGeometry g, const Tensor& a, const Tensor& b, const Shape& shape) {
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  backend(a.device()).matmul(g, a, b, y);
  engine::count_work(2.0 * double(g.batch) * double(g.m) * double(g.k) * double(g.n));
  return y;
}

void check_kinds(const char* op, const char* a_name, const Variable& a, const char* b_name, const Variable& b) {
  checks::defined(op, a_name, a);
  checks::defined(op, b_name, b);
  checks::floating(op, a.value());
  checks::same_kind(op, a_name, a.value(), b_name, b.value());
}

MatmulGeometry checked_geometry(const Shape& a, const Shape& b, const MatmulSpec& spec) {
  const bool batched = a.rank() == 3;
  require(a.rank() == b.rank() && (a.rank() == 2 || batched),
          "matmul: both operands must have 2 or both 3 axes, got {} and {}", a, b);
  require(!batched || a[0] == b[0], "matmul: batches differ: a is {}, b is {}", a, b);
  MatmulGeometry g{.batch = batched ? a[0] : 1,
                   .m = a[-2],
                   .k = a[-1],
                   .n = b[-1],
                   .transpose_a = spec.transpose_a,
                   .transpose_b = spec.transpose_b};
  if (g.transpose_a) std::swap(g.m, g.k);
  if (g.transpose_b) g.n = b[-2];
  const std::int64_t k = g.transpose_b ? b[-1] : b[-2];
  require(g.k == k, "matmul: inner extents differ: a {}{} has {}, b {}{} has {}", a, g.transpose_a ? "ᵀ" : "", g.k, b,
          g.transpose_b ? "ᵀ" : "", k);
  return g;
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b, const MatmulSpec& spec) {
  const engine::OperationName name("matmul");
  check_kinds("matmul", "a", a, "b", b);
  const MatmulGeometry g = checked_geometry(a.shape(), b.shape(), spec);
  Tensor y = product(g, a.value(), b.value(), a.shape().rank() == 3 ? Shape{g.batch, g.m, g.n} : Shape{g.m, g.n});

  const Saved saved_a = recording(b) ? a.saved() : Saved(), saved_b = recording(a) ? b.saved() : Saved();
  const Shape a_shape = a.shape(), b_shape = b.shape();
  return record("matmul", {a, b}, y, [=](Tensor dy) -> Gradients {
    const bool ta = g.transpose_a, tb = g.transpose_b;
    Tensor da, db;
    if (saved_b.defined()) {
      const Tensor right = saved_b.get();
      da = ta ? product({g.batch, g.k, g.n, g.m, tb, true}, right, dy, a_shape)     // da = op(b) dyᵀ, stored [k, m]
              : product({g.batch, g.m, g.n, g.k, false, !tb}, dy, right, a_shape);  // da = dy op(b)ᵀ
    }
    if (saved_a.defined()) {
      const Tensor left = saved_a.get();
      db = tb ? product({g.batch, g.n, g.m, g.k, true, ta}, dy, left, b_shape)     // db = dyᵀ op(a), stored [n, k]
              : product({g.batch, g.k, g.m, g.n, !ta, false}, left, dy, b_shape);  // db = op(a)ᵀ dy
    }
    return {da, db};
  });
}

Variable linear(const Variable& x, const Variable& w, const Variable& b) {
  const engine::OperationName name("linear");
  check_kinds("linear", "x", x, "w", w);
  const Shape &xs = x.shape(), &ws = w.shape();
  require(xs.rank() == 2 && ws.rank() == 2 && xs[1] == ws[1], "linear: x [R, I] and w [O, I] expected, got {} and {}", xs,
          ws);
  const std::int64_t rows = xs[0], in = xs[1], out = ws[0];
  Tensor y = product({1, rows, in, out, false, true}, x.value(), w.value(), {rows, out});
  if (b.defined()) {
    checks::per_channel("linear", "b", b, x.value(), out);
    Tensor bias = Tensor::empty_like(y);
    backend(y.device()).expand(b.value(), {1, rows, out}, 1, bias);
    backend(y.device()).binary(Binary::add, y, bias, y);
  }

  const Saved saved_x = recording(w) ? x.saved() : Saved(), saved_w = recording(x) ? w.saved() : Saved();
  const bool wants_db = b.defined() && recording(b);
  return record("linear", {x, w, b}, y, [=](Tensor dy) -> Gradients {
    Tensor dx, dw, db;
    if (saved_w.defined()) dx = product({1, rows, out, in, false, false}, dy, saved_w.get(), {rows, in});
    if (saved_x.defined()) dw = product({1, out, rows, in, true, false}, dy, saved_x.get(), {out, in});
    if (wants_db) {
      db = Tensor::empty({out}, dy.dtype(), dy.device());
      backend(dy.device()).sum(dy, {1, rows, out}, 1, db);
    }
    return {dx, dw, db};
  });
}

}  // namespace sagcl::ops
