#include <gtest/gtest.h>

#include "autograd/gradcheck.h"
#include "engine/devices/device_registry.h"
#include "ops/arithmetic.h"
#include "ops/backend.h"
#include "tests/cases/op_cases.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

std::string readable(const testing::TestParamInfo<std::size_t>& info) {
  std::string name = op_cases()[info.param].name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

class EveryOperation : public testing::TestWithParam<std::size_t> {
 protected:
  const OpCase& op() const { return op_cases()[GetParam()]; }
};

TEST_P(EveryOperation, HasTheGradientOfItsValue) {
  const autograd::GradcheckResult result =
      autograd::gradcheck(op().f, draw_inputs(op()), {.step = op().gradient_step, .tolerance = op().gradient_tolerance});
  EXPECT_TRUE(result.passed) << result.text();
}

class EveryOperationOfBothPrecisions : public EveryOperation {};

TEST_P(EveryOperationOfBothPrecisions, Agrees) {
  const OpResult wide = evaluate(op(), draw_inputs(op())), narrow = evaluate(op(), draw_inputs(op(), Dtype::f32));
  EXPECT_TRUE(close(narrow.value, wide.value, op().f32_tolerance));
  for (std::size_t k = 0; k < wide.gradients.size(); ++k)
    EXPECT_TRUE(close(narrow.gradients[k], wide.gradients[k], op().f32_tolerance)) << "gradient of input " << k;
}

TEST_P(EveryOperation, ReturnsAllMemory) {
  const std::vector<Tensor> inputs = draw_inputs(op());
  const auto in_use = [] { return engine::allocator(Device::cpu()).statistics().in_use; };
  evaluate(op(), inputs);  // anything kept for ever, such as tables, is made now
  const std::size_t before = in_use();
  evaluate(op(), inputs);
  EXPECT_EQ(in_use(), before);
}

TEST_P(EveryOperation, LeavesItsInputsAlone) {
  const std::vector<Tensor> inputs = draw_inputs(op());
  evaluate(op(), inputs);
  const std::vector<Tensor> again = draw_inputs(op());
  for (std::size_t k = 0; k < inputs.size(); ++k) EXPECT_TRUE(identical(inputs[k], again[k])) << "input " << k;
}

/// Positions of the cases; `both` leaves out those that are defined in f64 alone.
std::vector<std::size_t> positions(bool both) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < op_cases().size(); ++i)
    if (!both || !op_cases()[i].f64_only) all.push_back(i);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ops, EveryOperation, testing::ValuesIn(positions(false)), readable);
INSTANTIATE_TEST_SUITE_P(Ops, EveryOperationOfBothPrecisions, testing::ValuesIn(positions(true)), readable);

// The check itself must be able to fail: x² whose gradient is off by one part in a million.
TEST(Gradcheck, RejectsAWrongGradient) {
  const auto wrong_square = [](double factor) {
    return [factor](const std::vector<Variable>& v) {
      const Tensor x = v[0].value();
      Tensor y = Tensor::empty_like(x);
      ops::backend(x.device()).binary(ops::Binary::multiply, x, x, y);
      return autograd::record("wrong_square", {v[0]}, y, [x, factor](Tensor dy) -> autograd::Gradients {
        ops::backend(x.device()).binary(ops::Binary::multiply, x, dy, dy);
        ops::backend(x.device()).scale_add(factor, dy, 0, {}, dy);
        return {dy};
      });
    };
  };
  const std::vector<Tensor> inputs{random_tensor({3, 4}, 1)};
  EXPECT_TRUE(autograd::gradcheck(wrong_square(2.0), inputs).passed);
  const autograd::GradcheckResult wrong = autograd::gradcheck(wrong_square(2.000002), inputs);
  EXPECT_FALSE(wrong.passed);
  EXPECT_NE(wrong.text().find("FAILED"), std::string::npos);
}

TEST(Gradcheck, RejectsAForgottenInput) {
  const auto forgets = [](const std::vector<Variable>& v) { return ops::multiply(v[0], v[1].detach()); };
  EXPECT_FALSE(autograd::gradcheck(forgets, {random_tensor({5}, 1), random_tensor({5}, 2)}).passed);
}

TEST(Gradcheck, RefusesSinglePrecision) {
  EXPECT_THROW(autograd::gradcheck([](const std::vector<Variable>& v) { return ops::square(v[0]); },
                                   {random_tensor({3}, 1, Dtype::f32)}),
               engine::DtypeError);
}

}  // namespace
}  // namespace sagcl::tests
