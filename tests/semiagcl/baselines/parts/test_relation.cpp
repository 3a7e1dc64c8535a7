#include <gtest/gtest.h>

#include "autograd/gradcheck.h"
#include "ops/gather.h"
#include "semiagcl/baselines/parts/relation.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using autograd::gradcheck;
using engine::Shape;

TEST(RelationalDistillation, ByNumpy) {
  // two rows against a cache of two vectors and an empty place
  const Tensor s = of({1, 2, 2}, {3, 4, 1, 0}), t = of({1, 2, 2}, {0, 1, 0.6, 0.8}), c = of({1, 3, 2}, {1, 0, 0, 1, 0, 0});
  EXPECT_NEAR(relational_distillation(Variable(s), t, c, 0.5, 0.25).value().item(), 0.6969905696027183, 1e-14);
  EXPECT_NEAR(relational_distillation(Variable(t), t, c, 0.25, 0.25).value().item(), 0, 1e-15);  // they agree
}

TEST(RelationalDistillation, EveryGroupHasItsOwnCache) {
  const Tensor one = of({2, 1, 2}, {3, 4, 3, 4}), t = of({2, 1, 2}, {0, 1, 0, 1});
  const auto loss = [&](const Doubles& cache) {
    return relational_distillation(Variable(one), t, of({2, 2, 2}, cache), 0.5, 0.25).value().item();
  };
  const double first = loss({1, 0, 0, 1, 1, 0, 0, 1}), second = loss({-1, 0, 0, 1, -1, 0, 0, 1});
  EXPECT_NEAR(loss({1, 0, 0, 1, -1, 0, 0, 1}), (first + second) / 2, 1e-15);
  EXPECT_NE(first, second);
}

TEST(RelationalDistillation, Gradcheck) {
  const Tensor t = ops::l2_normalise(Variable(random_tensor({2, 3, 4}, 1))).value();
  const Tensor cache = ops::l2_normalise(Variable(random_tensor({2, 5, 4}, 2))).value();
  const auto result = gradcheck([&](const Variables& in) { return relational_distillation(in[0], t, cache, 0.1, 0.2); },
                                {random_tensor({2, 3, 4}, 3)});
  EXPECT_TRUE(result.passed) << result.text();
}

TEST(OutputWindows, OverlapInImages) {
  Tensor coarse = Tensor::empty({2, 1, 16, 16, 1});
  for (std::int64_t i = 0; i < coarse.size(); ++i) coarse.data<float>()[i] = float(i);
  const Tensor windows = output_windows(Variable(coarse)).value();
  ASSERT_EQ(windows.shape(), (Shape{output_window_count(true), 2, output_window_cells(true), 1}));
  EXPECT_EQ(output_window_count(true), 36);
  // the ninth is at row 2 and column 4; of the second image its cell (3, 1)
  EXPECT_EQ(windows.data<float>()[(8 * 2 + 1) * 16 + 3 * 4 + 1], 256 + (2 + 3) * 16 + 4 + 1);
  EXPECT_EQ(output_windows(Variable(Tensor::zeros({1, 16, 16, 16, 2}))).shape(), (Shape{27, 1, 64, 2}));
}

TEST(CoarseMap, IsAMeanOverCells) {
  Tensor x = Tensor::zeros({1, 1, 32, 16, 1});
  x.data<float>()[0] = 3, x.data<float>()[16] = 1;  // rows 0 and 1 of column 0
  const Tensor map = coarse_map(Variable(x)).value();
  ASSERT_EQ(map.shape(), (Shape{1, 1, 16, 16, 1}));
  EXPECT_EQ(map.data<float>()[0], 2);
}

}  // namespace
}  // namespace sagcl::tests
