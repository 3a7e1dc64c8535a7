// Activations in bf16: every operation that takes them is that of f32, rounded once.
#include <gtest/gtest.h>

#include <set>

#include "ops/arithmetic.h"
#include "ops/conv.h"
#include "ops/softmax.h"
#include "tests/cases/op_cases.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

Tensor rounded(const Tensor& x) { return ops::converted(x, Dtype::bf16); }

TEST(Bf16, EveryOperationIsThatOfF32Rounded) {
  std::set<std::string> families;
  for (const OpCase& c : op_cases()) {
    const std::size_t activations = activations_of(c);
    if (activations == 0) continue;
    families.insert(c.name.substr(0, c.name.find('/')));
    std::vector<Tensor> narrow = draw_inputs(c, Dtype::f32), wide = narrow;
    for (std::size_t k = 0; k < narrow.size(); ++k) {  // convolutions round their weights, too
      if (k < activations || c.name.starts_with("conv")) wide[k] = ops::converted(rounded(narrow[k]), Dtype::f32);
      if (k < activations) narrow[k] = rounded(narrow[k]);
    }
    const OpResult half = evaluate(c, narrow), whole = evaluate(c, wide, Dtype::bf16);
    EXPECT_TRUE(identical(half.value, rounded(whole.value))) << c.name;
    for (std::size_t k = 0; k < narrow.size(); ++k)
      EXPECT_TRUE(identical(half.gradients[k], k < activations ? rounded(whole.gradients[k]) : whole.gradients[k]))
          << c.name << ", gradient " << k;
  }
  EXPECT_EQ(families.size(), 14U);
}

TEST(Bf16, ConvertsThereAndBackWithItsGradient) {
  const Variable x = Variable::parameter(random_tensor({3, 5}, 1, Dtype::f32));
  autograd::Tape tape;
  const Variable half = ops::convert(x, Dtype::bf16), y = ops::convert(half, Dtype::f32);
  EXPECT_EQ(half.value().dtype(), Dtype::bf16);
  EXPECT_EQ(half.value().bytes(), 30u);
  EXPECT_TRUE(identical(ops::convert(y, Dtype::f32).value(), y.value()));
  const Tensor dy = random_tensor({3, 5}, 2, Dtype::f32);
  tape.backward(y, dy);
  EXPECT_TRUE(identical(x.grad(), ops::converted(rounded(dy), Dtype::f32)));  // a gradient has the type of its value
}

TEST(Bf16, WhatTakesNoneAndMixturesAreRefused) {
  const Variable x(rounded(random_tensor({1, 2, 2, 2, 3}, 1, Dtype::f32)));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::softmax(x); }, "softmax: needs f32 or f64, got bf16"));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::exp(x); }, "exp: needs f32 or f64, got bf16"));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::multiply(x, x); }, "multiply: needs f32 or f64, got bf16"));
  const Variable f32(random_tensor({1, 2, 2, 2, 3}, 1, Dtype::f32));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::add(x, f32); }, "add: a is bf16 and b is f32"));
  const Variable w(rounded(random_tensor({2, 1, 1, 1, 3}, 1, Dtype::f32)));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::conv(x, w, {}, {}); }, "conv: x is bf16 and w is bf16, not f32"));
}

}  // namespace
}  // namespace sagcl::tests
