#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/mc_net.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using engine::Dtype;
using Doubles = std::vector<double>;

TEST(McNet, SharpenGolden) {
  const Doubles s = sharpen(Variable(Tensor::of({6}, Doubles{0, 0.5, 0.55, 0.6, 0.7, 1}))).value().to_doubles();
  const Doubles expected{0, 0.5, 0.8814994686598715, 0.9829540725450702, 0.9997910023653128, 1};
  for (std::size_t i = 0; i < s.size(); ++i) EXPECT_NEAR(s[i], expected[i], 1e-15);
}

/// ds/dp = 10 (p q)^9 / (p^10 + q^10)², q = 1 − p: no NaN at the ends, where softmax arrives in single precision.
TEST(McNet, SharpenHasAGradientFromZeroToOne) {
  const Doubles p{0, 1e-30, 1e-6, 0.01, 0.3, 0.5, 0.62, 0.99, 1 - 1e-6, 1};
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Variable x = Variable::parameter(Tensor::of({10}, p).to(dtype));
    {
      autograd::Tape tape;
      tape.backward(ops::sum(sharpen(x)));
    }
    const Doubles gradient = x.grad().to_doubles();
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double q = 1 - p[i], both = std::pow(p[i], 10) + std::pow(q, 10);
      EXPECT_NEAR(gradient[i], 10 * std::pow(p[i] * q, 9) / (both * both), dtype == Dtype::f32 ? 2e-5 : 1e-13) << p[i];
    }
  }
}

TEST(McNet, MutualConsistencyByHand) {
  const Variable a(Tensor::of({2, 2}, Doubles{0.6, 0.4, 0.9, 0.1})), b(Tensor::of({2, 2}, Doubles{0.3, 0.7, 0.8, 0.2}));
  const Variable c(Tensor::of({2, 2}, Doubles{0.5, 0.5, 0.55, 0.45}));
  EXPECT_NEAR(mutual_consistency({a, b}).value().item(), 0.4380876604378965, 1e-14);
  EXPECT_NEAR(mutual_consistency({a, b, c}).value().item(), 0.9105972887987102, 1e-14);
  // of three classes each is sharpened on its own
  const Variable d(Tensor::of({1, 3}, Doubles{0.2, 0.5, 0.3})), e(Tensor::of({1, 3}, Doubles{0.1, 0.7, 0.2}));
  EXPECT_NEAR(mutual_consistency({d, e}).value().item(), 0.1565689092066117, 1e-14);
  const Variable sure(Tensor::of({1, 2}, Doubles{1, 0})), opposite(Tensor::of({1, 2}, Doubles{0, 1}));
  EXPECT_EQ(mutual_consistency({sure, sure}).value().item(), 0);
  EXPECT_EQ(mutual_consistency({sure, opposite}).value().item(), 2);  // both ordered pairs count
  EXPECT_TRUE(tests::throws<engine::UsageError>([&] { mutual_consistency({a}); }, "two or more"));
}

/// Through the sharpened targets, too: none is a constant.
TEST(McNet, MutualConsistencyGradcheck) {
  const auto result = autograd::gradcheck(
      [](const std::vector<Variable>& z) {
        return mutual_consistency({ops::softmax(z[0]), ops::softmax(z[1]), ops::softmax(z[2])});
      },
      {tests::random_tensor({1, 1, 2, 2, 3}, 1), tests::random_tensor({1, 1, 2, 2, 3}, 2),
       tests::random_tensor({1, 1, 2, 2, 3}, 3)});
  EXPECT_TRUE(result.passed) << result.text();
}

namespace {
/// Of the further decoders at width 16.
template <class Method>
std::int64_t further(const char* network, std::int64_t classes) {
  RunSettings s;
  s.network.name = network;
  Method method(s, {.classes = classes}, {});
  std::int64_t n = 0;
  for (const auto& [name, module] : method.modules()) n += layers::count_parameters(*module);
  return n;
}
}  // namespace

TEST(McNet, HasTheParametersOfTheReleasedNetworks) {
  constexpr std::int64_t vnet = 9448866, unet = 1813764;
  EXPECT_EQ(vnet + further<MutualConsistency>("vnet", 2), 12347716);
  EXPECT_EQ(vnet + further<MutualConsistencyPlus>("vnet", 2), 15246566);  // 15.25 M in Table VI
  EXPECT_EQ(unet + further<MutualConsistency>("unet", 4), 2577624);
  EXPECT_EQ(unet + further<MutualConsistencyPlus>("unet", 4), 3210924);
}
