#include <gtest/gtest.h>

#include "engine/parallel.h"
#include "ops/matmul.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

struct ProductType {
  Dtype dtype;
  double tolerance;
};
const ProductType product_types[] = {{Dtype::f64, 1e-13}, {Dtype::f32, 5e-6}};

TEST(Matmul, TwoByTwoByHand) {
  const Variable a(Tensor::of<float>({2, 2}, {1, 2, 3, 4})), b(Tensor::of<float>({2, 2}, {5, 6, 7, 8}));
  EXPECT_EQ(ops::matmul(a, b).value().to_vector<float>(), (std::vector<float>{19, 22, 43, 50}));
  EXPECT_EQ(ops::matmul(a, b, {.transpose_a = true}).value().to_vector<float>(), (std::vector<float>{26, 30, 38, 44}));
  EXPECT_EQ(ops::matmul(a, b, {.transpose_b = true}).value().to_vector<float>(), (std::vector<float>{17, 23, 39, 53}));
  EXPECT_EQ(ops::matmul(a, b, {.transpose_a = true, .transpose_b = true}).value().to_vector<float>(),
            (std::vector<float>{23, 31, 34, 46}));
}

TEST(Matmul, GoldenProducts) {
  const Golden golden("ops_dense");
  for (const std::string name : {"matmul_nn", "matmul_nt", "matmul_tn", "matmul_batched"})
    for (const ProductType& type : product_types) {
      SCOPED_TRACE(name);
      Variable a = Variable::parameter(golden.get(name + "/input", type.dtype)),
               b = Variable::parameter(golden.get(name + "/other", type.dtype));
      Tape tape;
      const Variable y = ops::matmul(a, b, {.transpose_a = name == "matmul_tn", .transpose_b = name == "matmul_nt"});
      EXPECT_TRUE(close(y.value(), golden.get(name + "/y"), type.tolerance));
      tape.backward(y, golden.get(name + "/dy", type.dtype));
      EXPECT_TRUE(close(a.grad(), golden.get(name + "/dinput"), type.tolerance));
      EXPECT_TRUE(close(b.grad(), golden.get(name + "/dother"), type.tolerance));
    }
}

TEST(Linear, Golden) {
  const Golden golden("ops_dense");
  for (const std::string name : {"linear", "linear_nobias"})
    for (const ProductType& type : product_types) {
      SCOPED_TRACE(name);
      Variable x = Variable::parameter(golden.get(name + "/x", type.dtype)),
               w = Variable::parameter(golden.get(name + "/w", type.dtype));
      Variable b = golden.has(name + "/b") ? Variable::parameter(golden.get(name + "/b", type.dtype)) : Variable();
      Tape tape;
      const Variable y = ops::linear(x, w, b);
      EXPECT_TRUE(close(y.value(), golden.get(name + "/y"), type.tolerance));
      tape.backward(y, golden.get(name + "/dy", type.dtype));
      EXPECT_TRUE(close(x.grad(), golden.get(name + "/dx"), type.tolerance));
      EXPECT_TRUE(close(w.grad(), golden.get(name + "/dw"), type.tolerance));
      if (b.defined()) { EXPECT_TRUE(close(b.grad(), golden.get(name + "/db"), type.tolerance)); }
    }
}

TEST(Matmul, OnlyWantedGradientsAreComputed) {
  Variable a = Variable::parameter(random_tensor({3, 4}, 1)), b(random_tensor({4, 5}, 2));
  Tape tape;
  const Variable y = ops::matmul(a, b);
  tape.backward(y, Tensor::full({3, 5}, 1, Dtype::f64));
  EXPECT_TRUE(a.has_grad());
  EXPECT_FALSE(b.has_grad());
}

TEST(Matmul, BitsDoNotDependOnThreads) {
  const int before = engine::threads();
  for (const Dtype dtype : {Dtype::f32, Dtype::f64})
    for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{1000, 130, 70}, {40, 300, 900}, {513, 4, 513}}) {
      const Variable a(random_tensor({m, k}, 1, dtype)), b(random_tensor({k, n}, 2, dtype));
      engine::set_threads(1);
      const Tensor one = ops::matmul(a, b).value();
      for (int threads : {2, 8}) {
        engine::set_threads(threads);
        EXPECT_TRUE(identical(ops::matmul(a, b).value(), one)) << threads << " threads";
      }
    }
  engine::set_threads(before);
}

TEST(Matmul, Errors) {
  const Variable a(Tensor::zeros({2, 3})), b(Tensor::zeros({4, 5})), d(Tensor::zeros({3, 5}, Dtype::f64)),
      batch(Tensor::zeros({2, 3, 5}));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::matmul(a, b); },
                                         "matmul: inner extents differ: a [2, 3] has 3, b [4, 5] has 4"));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::matmul(a, d); }, "f64"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::matmul(a, batch); }, "2 or both 3 axes"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::matmul(a, {}); }, "b is an undefined value"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::linear(a, b, {}); }, "linear: x [R, I] and w [O, I]"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::linear(a, Variable(Tensor::zeros({4, 3})), Variable(Tensor::zeros({3})));
      },
      "[4]"));
}

}  // namespace
}  // namespace sagcl::tests
