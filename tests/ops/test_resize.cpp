#include <gtest/gtest.h>

#include "ops/reduce.h"
#include "ops/resize.h"
#include "tests/support/golden_case.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;
using ops::Interpolation;

TEST(Resize, Golden) {
  const Golden golden("ops_resize");
  for (const Precision& p : {Precision{Dtype::f64, 1e-13}, Precision{Dtype::f32, 5e-6}})
    for (const std::string& name : golden.cases()) {
      const engine::Shape& y = golden.get(name + "/y").shape();
      const ops::ResizeSpec spec{{{y[1], y[2], y[3]}},
                                 name.starts_with("nearest") ? Interpolation::nearest : Interpolation::linear,
                                 golden.number(name + "/attr.align_corners") != 0};
      expect_golden(
          golden, name, {"x"}, [&](const std::vector<Variable>& v) { return ops::resize(v[0], spec); }, p);
    }
}

TEST(Resize, ByHand) {
  const Variable x(Tensor::of<float>({1, 1, 1, 2, 1}, {0, 4}));
  const auto y = [&](const ops::ResizeSpec& spec) { return ops::resize(x, spec).value().to_vector<float>(); };
  // corners aligned: sources 0, 1/4, 2/4, 3/4, 1
  EXPECT_EQ(y({{{1, 1, 5}}, Interpolation::linear, true}), (std::vector<float>{0, 1, 2, 3, 4}));
  // centres: sources -0.25 (clamped to 0), 0.25, 0.75, 1.25 (clamped to 1)
  EXPECT_EQ(y({{{1, 1, 4}}, Interpolation::linear, false}), (std::vector<float>{0, 1, 3, 4}));
  EXPECT_EQ(y({{{1, 1, 5}}, Interpolation::nearest, false}), (std::vector<float>{0, 0, 0, 4, 4}));
  EXPECT_EQ(y({{{1, 1, 2}}, Interpolation::linear, false}), (std::vector<float>{0, 4}));
}

// Interpolation weights of an output sum to one, so the gradient of a sum counts every output exactly once.
TEST(Resize, GradientsCountEveryOutputOnce) {
  for (Dtype d : {Dtype::f32, Dtype::f64})
    for (bool aligned : {false, true})
      for (Interpolation how : {Interpolation::linear, Interpolation::nearest})
        for (const engine::Extents& out : {engine::Extents{{1, 9, 12}}, engine::Extents{{6, 5, 7}},
                                           engine::Extents{{2, 1, 3}}, engine::Extents{{17, 23, 4}}}) {
          Variable x = Variable::parameter(random_tensor({1, 3, 5, 6, 17}, 1, d));
          Tape tape;
          tape.backward(ops::sum(ops::resize(x, {out, how, aligned})));
          double total = 0;
          for (double g : x.grad().to_doubles()) total += g;
          EXPECT_NEAR(total, double(17 * out.volume()), d == Dtype::f32 ? 0.02 : 1e-9);
        }
}

TEST(Resize, RefusesWhatDoesNotFit) {
  const Variable x(Tensor::zeros({1, 1, 4, 4, 2}));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::resize(x, {{{1, 0, 4}}});
      },
      "resize: from shape [1, 1, 4, 4, 2] to 1x0x4"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::resize(Variable(Tensor::zeros({4})), {{{1, 2, 4}}});
      },
      "should be [N, D, H, W, C]"));
}

}  // namespace
}  // namespace sagcl::tests
