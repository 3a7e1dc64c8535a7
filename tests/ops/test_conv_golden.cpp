#include <gtest/gtest.h>

#include "ops/activation.h"
#include "ops/conv.h"
#include "ops/reduce.h"
#include "tests/support/golden_case.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Shape;
using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

TEST(Conv, Golden) {
  for (const char* file : {"ops_conv_2d", "ops_conv_3d", "ops_conv_transposed"}) {
    const Golden golden(file);
    for (const Precision& p : {Precision{Dtype::f64, 1e-13}, Precision{Dtype::f32, 5e-6}})
      for (const std::string& name : golden.cases())
        expect_golden(
            golden, name, {"x", "w", "b"},
            [&](const std::vector<Variable>& v) {
              const ops::ConvSpec spec{extents(golden, name + "/attr.stride"), extents(golden, name + "/attr.pad")};
              return name.starts_with("convt") ? ops::conv_transposed(v[0], v[1], v[2], spec)
                                               : ops::conv(v[0], v[1], v[2], spec);
            },
            p);
  }
}

TEST(Conv, ByHand) {
  // x = 1 2 3 4, w = 1 -1, so y[p] = x[p] - x[p+1] + b
  const Variable x(Tensor::of<float>({1, 1, 1, 4, 1}, {1, 2, 4, 8})), w(Tensor::of<float>({1, 1, 1, 2, 1}, {1, -1})),
      b(Tensor::of<float>({1}, {10}));
  EXPECT_EQ(ops::conv(x, w, b).value().to_vector<float>(), (std::vector<float>{9, 8, 6}));
  EXPECT_EQ(ops::conv(x, w, {}, {{{1, 1, 2}}, {{0, 0, 1}}}).value().to_vector<float>(), (std::vector<float>{-1, -2, 8}));
  // the transpose spreads each x over two y: x[p] · (1, -1)
  EXPECT_EQ(ops::conv_transposed(x, w, b, {{{1, 1, 2}}}).value().to_vector<float>(),
            (std::vector<float>{11, 9, 12, 8, 14, 6, 18, 2}));
}

TEST(Conv, TransposeIsTheTranspose) {
  // <conv(x), z> = <x, conv_transposed(z)> for every x and z
  const Variable x(random_tensor({1, 4, 5, 6, 3}, 1)), w(random_tensor({2, 2, 3, 2, 3}, 2)),
      z(random_tensor({1, 2, 3, 3, 2}, 3));
  const ops::ConvSpec spec{{{2, 1, 2}}};
  const auto dot = [](const Tensor& a, const Tensor& b) {
    const std::vector<double> p = a.to_doubles(), q = b.to_doubles();
    EXPECT_EQ(p.size(), q.size());
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * q[i];
    return sum;
  };
  EXPECT_NEAR(dot(ops::conv(x, w, {}, spec).value(), z.value()),
              dot(x.value(), ops::conv_transposed(z, w, {}, spec).value()), 1e-12);
}

TEST(Conv, ComputesOnlyTheGradientsWanted) {
  const Variable image(random_tensor({1, 4, 4, 4, 2}, 1));
  Variable w = Variable::parameter(random_tensor({3, 3, 3, 3, 2}, 2)), b = Variable::parameter(random_tensor({3}, 3));
  Tape tape;
  tape.backward(ops::sum(ops::conv(image, w, b)));
  EXPECT_TRUE(w.has_grad() && b.has_grad());
  EXPECT_FALSE(image.has_grad());
  EXPECT_EQ(b.grad().to_doubles(), (std::vector<double>{8, 8, 8}));  // 2x2x2 outputs each
}

TEST(Conv, RefusesWhatDoesNotFit) {
  const Variable x(Tensor::zeros({1, 4, 4, 4, 2})), w(Tensor::zeros({5, 3, 3, 3, 2})), wrong(Tensor::zeros({5, 3, 3, 3, 4})),
      b(Tensor::zeros({4}));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::conv(x, wrong, {}); },
                                         "conv: x [1, 4, 4, 4, 2] has 2 channels, w [5, 3, 3, 3, 4] expects 4"));
  EXPECT_TRUE(
      throws<engine::ShapeError>([&] { ops::conv(x, w, b); }, "b should be [5] for w [5, 3, 3, 3, 2], got shape [4]"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::conv(x, Variable(Tensor::zeros({5, 5, 3, 3, 2})), {});
      },
      "does not fit into x [1, 4, 4, 4, 2] with padding 0x0x0"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::conv(x, w, {}, {{{0, 1, 1}}}); }, "stride 0x1x1 must be at least 1"));
  EXPECT_TRUE(throws<engine::DtypeError>(
      [&] {
        ops::conv(x, Variable(Tensor::zeros({5, 3, 3, 3, 2}, Dtype::f64)), {});
      },
      "x is f32 and w is f64"));
  EXPECT_TRUE(
      throws<engine::ShapeError>([&] { ops::conv_transposed(x, w, {}); }, "has 2 channels, w [5, 3, 3, 3, 2] expects 5"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::conv(Variable(Tensor::zeros({4, 4})), w, {});
      },
      "should be [N, D, H, W, C], got shape [4, 4]"));
}

}  // namespace
}  // namespace sagcl::tests
