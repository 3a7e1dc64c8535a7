#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/uncertainty_aware.h"
#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using engine::Dtype;
using tests::Golden;

namespace {
Tensor limit(double entropy) { return Tensor::full({1}, entropy, Dtype::f64); }
}  // namespace

TEST(UncertaintyAware, GoldenThreshold) {
  const Golden g("agcl_schedule");
  const auto t = g.integers("ua_mt/t");
  const std::vector<double> threshold = g.get("ua_mt/threshold").to_doubles();
  for (std::size_t i = 0; i < t.size(); ++i) EXPECT_NEAR(entropy_threshold(double(t[i]) / 6000), threshold[i], 1e-15);
}

TEST(UncertaintyAware, EntropyByHand) {
  // two passes: certain of class 0 twice; once of either class
  const Tensor sum = Tensor::of({2, 2}, std::vector<double>{2, 0, 1, 1});
  const std::vector<double> h = predictive_entropy(sum, 2).to_doubles();
  EXPECT_NEAR(h[0], -std::log(1 + 1e-6), 1e-15);
  EXPECT_NEAR(h[1], -std::log(0.5 + 1e-6), 1e-15);
}

TEST(UncertaintyAware, OnlyCertainVoxelsCount) {
  const Variable z(Tensor::zeros({1, 1, 1, 2, 2}, Dtype::f64));  // the student says one half everywhere
  const Tensor q = Tensor::of({1, 1, 1, 2, 2}, std::vector<double>{1, 0, 0.9, 0.1});
  const Tensor entropy = Tensor::of({1, 1, 1, 2}, std::vector<double>{0.1, 0.6});
  // the first voxel alone
  EXPECT_NEAR(certain_consistency(z, q, entropy, limit(0.5)).value().item(), 0.25, 1e-15);
  EXPECT_NEAR(certain_consistency(z, q, entropy, limit(0.7)).value().item(), (0.25 + 0.16) / 2, 1e-15);  // both
  EXPECT_EQ(certain_consistency(z, q, entropy, limit(0.05)).value().item(), 0);                          // none
}

TEST(UncertaintyAware, Gradcheck) {
  const Tensor q = ops::softmax(Variable(tests::random_tensor({1, 1, 2, 3, 3}, 1))).value();
  const Tensor entropy = Tensor::of({1, 1, 2, 3}, std::vector<double>{0.1, 0.9, 0.2, 0.3, 0.8, 0.4});
  const auto result = autograd::gradcheck(
      [&](const std::vector<Variable>& in) { return certain_consistency(in[0], q, entropy, limit(0.5)); },
      {tests::random_tensor({1, 1, 2, 3, 3}, 2)});
  EXPECT_TRUE(result.passed) << result.text();
}
