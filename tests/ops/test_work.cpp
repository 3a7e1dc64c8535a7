#include <gtest/gtest.h>

#include <functional>

#include "engine/work.h"
#include "ops/conv.h"
#include "ops/matmul.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using autograd::Variable;

double work_of(const std::function<void()>& f) {
  const double before = engine::work_done();
  f();
  return engine::work_done() - before;
}

/// A multiplication and an addition for every voxel of the result, weight and channel, thrice: y, dx, dw.
TEST(Work, OfAConvolutionAndItsGradients) {
  const Variable x = Variable::parameter(random_tensor({1, 1, 4, 5, 2}, 1)), b = Variable::parameter(random_tensor({3}, 2));
  Variable w = Variable::parameter(random_tensor({3, 1, 3, 3, 2}, 3));
  const double one = 2 * (4 * 5) * (3 * 3) * 2 * 3;
  autograd::Tape tape;
  Variable y;
  EXPECT_EQ(work_of([&] { y = ops::conv(x, w, b, {.padding = {{0, 1, 1}}}); }), one);
  EXPECT_EQ(work_of([&] { tape.backward(y, engine::Tensor::full(y.shape(), 1, y.value().dtype())); }), 2 * one);
}

TEST(Work, OfATransposedConvolutionAndAProduct) {
  const Variable x(random_tensor({2, 1, 3, 3, 4}, 1)), w(random_tensor({4, 1, 2, 2, 5}, 2));
  EXPECT_EQ(work_of([&] { ops::conv_transposed(x, w, {}, {.stride = {{1, 2, 2}}}); }), 2 * (2 * 3 * 3) * 4 * (2 * 2) * 5);
  const Variable a(random_tensor({2, 3}, 3)), b(random_tensor({3, 4}, 4));
  EXPECT_EQ(work_of([&] { ops::matmul(a, b); }), 2 * 2 * 3 * 4);
}

/// Inputs and result forward; the gradient of the result and of the inputs backward.
TEST(Work, BytesOfAProductAndItsGradients) {
  const Variable a = Variable::parameter(random_tensor({2, 3}, 3)), b(random_tensor({3, 4}, 4));
  const double before = engine::bytes_moved();
  autograd::Tape tape;
  const Variable y = ops::matmul(a, b);
  const double each = double(y.value().bytes()) / 8;
  EXPECT_EQ(engine::bytes_moved() - before, each * (6 + 12 + 8));
  tape.backward(y, engine::Tensor::full(y.shape(), 1, y.value().dtype()));
  EXPECT_EQ(engine::bytes_moved() - before, each * (6 + 12 + 8) + each * (8 + 6));
}

}  // namespace
}  // namespace sagcl::tests
