#include <gtest/gtest.h>

#include "autograd/gradcheck.h"
#include "semiagcl/baselines/parts/cut_mix.h"
#include "tests/support/by_hand.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using autograd::gradcheck;

TEST(CutMix, TakesTheBoxFromTheNextImage) {
  const Tensor x = of({3, 1, 1, 2, 1}, {1, 2, 3, 4, 5, 6}), masks = Tensor::of<float>({3, 1, 1, 2}, {1, 0, 0, 1, 1, 0});
  EXPECT_EQ(cut_mix(x, masks).to_doubles(), (Doubles{1, 4, 5, 4, 5, 2}));
  const Tensor one = of({1, 1, 1, 2, 1}, {1, 2});
  EXPECT_EQ(cut_mix(one, Tensor::of<float>({1, 1, 1, 2}, {1, 0})).to_doubles(), one.to_doubles());  // it is its own next
}

TEST(ConfidentCrossEntropy, WeighsImagesByTheirShare) {
  // half of the first image is confident, all of the second: (1.720 / 2 + 0.371) / 2
  const Tensor z = of({2, 1, 1, 2, 2}, {0, 1, 2, 0, 1, 1, 0, 3});
  const Tensor q = of({2, 1, 1, 2, 2}, {0.99, 0.01, 0.4, 0.6, 0.02, 0.98, 0.03, 0.97});
  EXPECT_NEAR(confident_cross_entropy(Variable(z), q).value().item(), 0.6154573453535712, 1e-14);
  const auto result = gradcheck([&](const Variables& in) { return confident_cross_entropy(in[0], q); }, {z});
  EXPECT_TRUE(result.passed) << result.text();
}

}  // namespace
}  // namespace sagcl::tests
