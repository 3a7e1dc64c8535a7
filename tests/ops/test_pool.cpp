#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/pool.h"
#include "ops/reduce.h"
#include "tests/support/golden_case.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

TEST(Pool, Golden) {
  const Golden golden("ops_pool");
  for (const std::string& name : golden.cases()) {
    const bool maximum = name.starts_with("max"), global = name.starts_with("global");
    const ops::PoolSpec spec =
        global ? ops::PoolSpec{}
               : ops::PoolSpec{extents(golden, name + "/attr.kernel"), extents(golden, name + "/attr.stride")};
    const auto f = [&](const std::vector<Variable>& v) {
      return global ? ops::global_average_pool(v[0]) : maximum ? ops::max_pool(v[0], spec) : ops::average_pool(v[0], spec);
    };
    expect_golden(golden, name, {"x"}, f, {Dtype::f64, maximum ? 0.0 : 1e-14});
    expect_golden(golden, name, {"x"}, f, {Dtype::f32, 5e-6});
  }
}

TEST(Pool, ByHand) {
  // 1 5 | 2 2      the window's maxima are 5 and 2 (the first of the equal ones gets the gradient)
  // 4 3 | 2 1
  Variable x = Variable::parameter(Tensor::of<float>({1, 1, 2, 4, 1}, {1, 5, 2, 2, 4, 3, 2, 1}));
  const ops::PoolSpec spec{{{1, 2, 2}}, {{1, 2, 2}}};
  EXPECT_EQ(ops::average_pool(x, spec).value().to_vector<float>(), (std::vector<float>{3.25, 1.75}));
  Tape tape;
  const Variable y = ops::max_pool(x, spec);
  EXPECT_EQ(y.value().to_vector<float>(), (std::vector<float>{5, 2}));
  tape.backward(y, Tensor::of<float>(y.shape(), {10, 20}));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, 10, 20, 0, 0, 0, 0, 0}));
}

TEST(Pool, OverlappingWindowsAddUp) {
  Variable x = Variable::parameter(Tensor::of<float>({1, 1, 1, 4, 1}, {1, 9, 3, 4}));
  Tape tape;
  const Variable y = ops::max_pool(x, {{{1, 1, 2}}, {{1, 1, 1}}});
  EXPECT_EQ(y.value().to_vector<float>(), (std::vector<float>{9, 9, 4}));
  tape.backward(y, Tensor::of<float>(y.shape(), {1, 2, 4}));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, 3, 0, 4}));
}

// The CPU has a special path for f32: it must agree with the general kernel bit for bit, remainders included.
TEST(Pool, MaximaAreTheSameInBothPrecisions) {
  for (std::int64_t channels : {1, 3, 16, 19}) {
    const Tensor x = random_tensor({2, 5, 6, 7, channels}, std::uint64_t(channels));
    for (const ops::PoolSpec& spec :
         {ops::PoolSpec{{{1, 2, 2}}, {{1, 2, 2}}}, ops::PoolSpec{}, ops::PoolSpec{{{2, 3, 2}}, {{1, 2, 3}}}}) {
      const auto value_and_gradient = [&](Dtype d) {
        Variable v = Variable::parameter(x.to(d));
        Tape tape;
        const Variable y = ops::max_pool(v, spec);
        tape.backward(ops::sum(y));
        return std::pair(y.value().to(Dtype::f64), v.grad().to(Dtype::f64));
      };
      const auto wide = value_and_gradient(Dtype::f64), narrow = value_and_gradient(Dtype::f32);
      EXPECT_TRUE(identical(wide.first, narrow.first));
      EXPECT_TRUE(identical(wide.second, narrow.second));
    }
  }
}

TEST(Pool, ANaNIsAMaximum) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (Dtype d : {Dtype::f32, Dtype::f64})
    for (std::vector<float> v : {std::vector<float>{nan, 1, 2, 3}, std::vector<float>{1, 2, nan, 3}}) {
      const Variable x(Tensor::of<float>({1, 1, 2, 2, 1}, v).to(d));
      EXPECT_TRUE(std::isnan(ops::max_pool(x, {{{1, 2, 2}}, {{1, 2, 2}}}).value().to_doubles()[0]));
    }
}

TEST(Pool, RefusesWhatDoesNotFit) {
  const Variable x(Tensor::zeros({1, 1, 4, 4, 2}));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::max_pool(x, {}); },
                                         "max_pool: the window 2x2x2 does not fit into x of shape [1, 1, 4, 4, 2]"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::average_pool(x, {{{1, 2, 2}}, {{1, 0, 2}}});
      },
      "stride 1x0x2 must be at least 1"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::max_pool(Variable(Tensor::zeros({1, 8, 8, 8, 1})), {{{8, 8, 8}}, {{8, 8, 8}}});
      },
      "at most 255"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::max_pool(Variable(Tensor::zeros({4, 4})), {});
      },
      "should be [N, D, H, W, C]"));
}

}  // namespace
}  // namespace sagcl::tests
