#include <gtest/gtest.h>

#include "layers/conv_unit.h"
#include "ops/conv.h"
#include "ops/reduce.h"
#include "tests/support/golden_case.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

Tensor bias_gradient(layers::ConvUnit& unit, bool training) {
  layers::convert_to(unit, Dtype::f64);
  Tape tape;
  const Variable y = unit.forward(Variable(random_tensor({2, 3, 4, 5, 2}, 1, Dtype::f64)), {.training = training});
  const auto parameters = layers::parameters_of(unit);
  tape.backward(y, random_tensor(y.shape(), 2, Dtype::f64));
  return parameters.at("conv.b")->grad();
}

TEST(ConvUnit, BiasHasNoGradientBeforeStatisticsOfTheBatch) {
  for (const bool transposed : {false, true}) {
    engine::Generator random(0, "weights");
    layers::ConvUnit unit({.in = 2, .out = 3, .padding = {{1, 1, 1}}, .transposed = transposed}, 0.1, random);
    EXPECT_TRUE(identical(bias_gradient(unit, true), Tensor::zeros({3}, Dtype::f64)));
    layers::ConvUnit other({.in = 2, .out = 3, .padding = {{1, 1, 1}}, .transposed = transposed}, 0.1, random);
    for (const double g : bias_gradient(other, false).to_doubles()) EXPECT_GT(std::abs(g), 1e-3);  // running statistics
  }
}

TEST(ConvUnit, NothingElseChangesBeforeANorm) {
  const Tensor values[] = {random_tensor({2, 3, 4, 5, 2}, 1, Dtype::f64), random_tensor({3, 3, 3, 3, 2}, 2, Dtype::f64),
                           random_tensor({3}, 3, Dtype::f64)};
  std::vector<Tensor> gradients[2];
  for (const bool norm_follows : {false, true}) {
    std::vector<Variable> v;
    for (const Tensor& t : values) v.push_back(Variable::parameter(t.clone()));
    Tape tape;
    const Variable y = ops::conv(v[0], v[1], v[2], {.padding = {{1, 1, 1}}, .norm_follows = norm_follows});
    tape.backward(y, random_tensor(y.shape(), 4, Dtype::f64));
    for (const Variable& x : v) gradients[norm_follows].push_back(x.grad());
  }
  EXPECT_TRUE(identical(gradients[0][0], gradients[1][0]));
  EXPECT_TRUE(identical(gradients[0][1], gradients[1][1]));
  EXPECT_FALSE(identical(gradients[0][2], gradients[1][2]));
}

}  // namespace
}  // namespace sagcl::tests
