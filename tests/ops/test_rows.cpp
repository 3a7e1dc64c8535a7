#include <gtest/gtest.h>

#include <cmath>

#include "ops/gather.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

TEST(Gather, ByHand) {  // row 2 is taken twice, row 1 never
  Variable x = Variable::parameter(Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6}));
  Tape tape;
  const Variable y = ops::gather(x, Tensor::of<std::int32_t>({3}, {2, 0, 2}));
  EXPECT_EQ(y.value().to_vector<float>(), (std::vector<float>{5, 6, 1, 2, 5, 6}));
  tape.backward(y, Tensor::of<float>({3, 2}, {1, 2, 10, 20, 100, 200}));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{10, 20, 0, 0, 101, 202}));
}

TEST(Gather, TakesLabelsToo) {
  const Variable labels(Tensor::of<std::int32_t>({4}, {7, 8, 9, 10}));
  EXPECT_EQ(ops::gather(labels, Tensor::of<std::int32_t>({2}, {3, 1})).value().to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{10, 8}));
}

TEST(Gather, OfNoRowsIsEmpty) {
  Variable x = Variable::parameter(Tensor::of<float>({2, 2}, {1, 2, 3, 4}));
  Tape tape;
  const Variable y = ops::gather(x, Tensor::empty({0}, Dtype::i32));
  EXPECT_EQ(y.shape(), (engine::Shape{0, 2}));
  tape.backward(y, Tensor::empty({0, 2}));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, 0, 0, 0}));
}

TEST(Gather, ManyRepeatsAddUp) {
  constexpr std::int64_t count = 5000;
  Variable x = Variable::parameter(Tensor::zeros({3, 2}, Dtype::f64));
  std::vector<std::int32_t> index;
  for (std::int64_t m = 0; m < count; ++m) index.push_back(m % 5 == 0 ? 0 : 2);
  Tape tape;
  tape.backward(ops::gather(x, Tensor::of({count}, index)), Tensor::full({count, 2}, 1, Dtype::f64));
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{1000, 1000, 0, 0, 4000, 4000}));
}

TEST(L2Normalize, ByHand) {
  const Variable x(Tensor::of<double>({2, 2}, {3, 4, -5, 12}));
  EXPECT_TRUE(close(ops::l2_normalise(x).value(), Tensor::of<double>({2, 2}, {0.6, 0.8, -5 / 13.0, 12 / 13.0}), 1e-15));
}

TEST(L2Normalize, ARowOfZerosStaysZero) {
  Variable x = Variable::parameter(Tensor::zeros({1, 2}, Dtype::f64));
  Tape tape;
  const Variable y = ops::l2_normalise(x, 0.5);
  EXPECT_EQ(y.value().to_vector<double>(), (std::vector<double>{0, 0}));
  tape.backward(y, Tensor::of<double>({1, 2}, {1, 2}));  // the norm is the constant 0.5 there
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{2, 4}));
}

TEST(L2Normalize, FarEndsOfSinglePrecision) {  // the squares would overflow and underflow in float
  const Tensor y = ops::l2_normalise(Variable(Tensor::of<float>({2, 2}, {3e30f, 4e30f, 3e-25f, 4e-25f})), 1e-30).value();
  EXPECT_TRUE(close(y, Tensor::of<float>({2, 2}, {0.6f, 0.8f, 0.6f, 0.8f}), 1e-6));
}

TEST(L2Normalize, Golden) {
  const Golden golden("ops_dense");
  for (const std::string name : {"l2_normalise", "l2_normalise_tiny"})
    for (const auto& [dtype, tolerance] : {std::pair(Dtype::f64, 1e-13), std::pair(Dtype::f32, 5e-6)}) {
      SCOPED_TRACE(name);
      Variable x = Variable::parameter(golden.get(name + "/x", dtype));
      Tape tape;
      const Variable y = ops::l2_normalise(x, golden.number(name + "/attr.eps"));
      EXPECT_TRUE(close(y.value(), golden.get(name + "/y"), tolerance));
      tape.backward(y, golden.get(name + "/dy", dtype));
      EXPECT_TRUE(close(x.grad(), golden.get(name + "/dx"), tolerance));
    }
}

TEST(Rows, Errors) {
  const Variable x(Tensor::zeros({3, 2}));
  EXPECT_TRUE(throws<engine::UsageError>(
      [&] {
        ops::gather(x, Tensor::of<std::int32_t>({2}, {0, 3}));
      },
      "gather: index[1] = 3 is outside [0, 3)"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::gather(x, Tensor::of<std::int32_t>({1}, {-1})); }, "index[0] = -1"));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::gather(x, Tensor::zeros({2})); }, "index must be i32"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::gather(x, Tensor::zeros({2, 1}, Dtype::i32)); }, "index [M] expected"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::l2_normalise(x, 0); }, "eps must be positive"));
}

}  // namespace
}  // namespace sagcl::tests
