#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/double_uncertainty.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

TEST(DoubleUncertainty, SpreadByHand) {
  Spread spread;
  EXPECT_TRUE(throws<engine::UsageError>([&] { spread.deviation(); }, "the deviation of nothing"));
  for (const Doubles& x : {Doubles{1, 5, 1000.1}, Doubles{2, 5, 1000.2}, Doubles{4, 5, 1000.3}})
    spread.add(Tensor::of({3}, x));
  const Doubles d = spread.deviation().to_doubles();
  EXPECT_NEAR(d[0], std::sqrt(14.0 / 9), 1e-15);
  EXPECT_EQ(d[1], 0);
  EXPECT_NEAR(d[2], std::sqrt(2.0 / 3) * 0.1, 1e-12);
}

TEST(DoubleUncertainty, EachSampleHasItsOwnRange) {
  const Tensor x = Tensor::of({2, 1, 1, 3}, Doubles{1, 2, 5, 10, 30, 20});
  EXPECT_EQ(relative_to_sample(x).to_doubles(), (Doubles{0, 0.25, 1, 0, 1, 0.5}));
}

TEST(DoubleUncertainty, LossByHand) {
  const Variable z(Tensor::zeros({1, 1, 1, 2, 2}, engine::Dtype::f64));  // one half everywhere: the entropy is ln 2
  const Tensor q = Tensor::of({1, 1, 1, 2, 2}, Doubles{1, 0, 0.9, 0.1});
  const Tensor u = Tensor::of({1, 1, 1, 2}, Doubles{std::log(2.0), 0});
  EXPECT_NEAR(double_uncertainty_loss(z, q, u).value().item(), (0.5 * 0.5 + 0.32) / 2 + 0.1, 1e-15);
  // certain of class 0, and wrong by 0.1 in the second voxel
  const Variable sure(Tensor::of({1, 1, 1, 2, 2}, Doubles{50, 0, 50, 0}));
  EXPECT_NEAR(double_uncertainty_loss(sure, q, u).value().item(), 0.02 / 2, 1e-15);
}

TEST(DoubleUncertainty, Gradcheck) {
  const Tensor q = ops::softmax(Variable(random_tensor({1, 1, 2, 3, 3}, 1))).value();
  const Tensor u = Tensor::of({1, 1, 2, 3}, Doubles{0.1, 0.9, 0.2, 0.3, 0.8, 0.4});
  const auto result = autograd::gradcheck([&](const Variables& in) { return double_uncertainty_loss(in[0], q, u); },
                                          {random_tensor(q.shape(), 2)});
  EXPECT_TRUE(result.passed) << result.text();
}

}  // namespace
}  // namespace sagcl::tests
