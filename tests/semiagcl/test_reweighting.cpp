#include "semiagcl/reweighting.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/reduce.h"
#include "semiagcl/contrastive_loss.h"
#include "tests/semiagcl/contrast_support.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using autograd::Tape;
using engine::Dtype;
using engine::Generator;

/// Two patches for each of two classes, of which `second` count for class 1.
Picks two_each(std::int32_t second) { return {integers({2, 2}, {0, 1, 2, 3}), integers({2}, {2, second})}; }

TEST(Reweighting, IsZeroUntilTheOtherBanksAreFilled) {
  const Method m = small();
  MemoryBank bank = bank_of(2, m);
  const Picks picks = two_each(1);
  const Tensor keys = unit_rows(4, 4, 1);
  Variable q = Variable::parameter(unit_rows(4, 4, 2));
  Generator random(1, "negatives");
  {
    Tape tape;
    const Variable loss = reweighted_loss(q, keys, picks, bank, m, random);  // empty banks
    EXPECT_EQ(loss.value().item(), 0);
    tape.backward(loss);
    for (double d : q.grad().to_doubles()) EXPECT_EQ(d, 0);
    q.clear_grad();
  }
  bank.store(keys, picks, Tensor::of({4}, std::vector<double>{0.2, 0.4, 0.9, 0.5}));
  bank.update_threshold();
  EXPECT_EQ(bank.count(0), 2);
  EXPECT_EQ(bank.count(1), 1);
  EXPECT_NEAR(bank.threshold(), 0.4, 1e-15);  // the first update takes the median
  Tape tape;
  const Variable loss = reweighted_loss(q, keys, picks, bank, m, random);  // class 1 has two negatives, class 0 only one
  EXPECT_GT(loss.value().item(), 0);
  tape.backward(loss);
  const std::vector<double> dq = q.grad().to_doubles();
  for (std::size_t d = 0; d < 4; ++d) {
    EXPECT_EQ(dq[d], 0);
    EXPECT_EQ(dq[4 + d], 0);
    EXPECT_NE(dq[8 + d], 0);   // the one anchor
    EXPECT_EQ(dq[12 + d], 0);  // fills up
  }
  EXPECT_THROW(reweighted_loss(Variable(unit_rows(3, 4, 2)), unit_rows(3, 4, 1), picks, bank, m, random),
               engine::ShapeError);
}

TEST(Reweighting, IsTheMeanOverAnchorsOfTheMeanOverPositives) {
  const Method m = small();
  MemoryBank bank = bank_of(2, m);
  bank.store(unit_rows(4, 4, 1), two_each(2), Tensor::of({4}, std::vector<double>{0.2, 0.4, 0.9, 0.3}));
  const Tensor q = unit_rows(4, 4, 7), keys = unit_rows(4, 4, 5);
  Generator random(1, "negatives"), again = random;
  const double loss = reweighted_loss(Variable(q), keys, two_each(1), bank, m, random).value().item();
  const Contrast by_hand{.keys = keys,
                         .weights = weights_of({{0, 1}, {0, 1}, {2}, {}}, 4, Dtype::f64),
                         .own = hard_negatives(q, bank, m, again),
                         .tau = m.tau};
  EXPECT_NEAR(loss, ops::sum(contrastive_losses(Variable(q), by_hand)).value().item() / 3, 1e-14);
}

TEST(Reweighting, OneClassOnlyHasNoNegatives) {
  const Method m = small();
  MemoryBank bank = bank_of(1, m);
  bank.store(unit_rows(4, 4, 1), {integers({1, 4}, {0, 1, 2, 3}), integers({1}, {4})}, Tensor::full({4}, 0.5, Dtype::f64));
  Generator random(1, "negatives");
  const Picks one{integers({1, 1}, {0}), integers({1}, {1})};
  EXPECT_EQ(reweighted_loss(Variable(unit_rows(1, 4, 2)), unit_rows(1, 4, 3), one, bank, m, random).value().item(), 0);
}

TEST(Reweighting, GradcheckWithAndWithoutQueue) {
  Method m = small();
  MemoryBank bank = bank_of(2, m);
  const Picks picks = two_each(2);
  bank.store(unit_rows(4, 4, 1), picks, Tensor::of({4}, std::vector<double>{0.2, 0.4, 0.9, 0.3}));
  bank.update_threshold();
  const Tensor keys = unit_rows(4, 4, 5), z = tests::random_tensor({4, 4}, 6);
  m.n_closest = 2;  // both keys are always among the closest, so moving q does not change what is drawn
  for (bool append : {false, true}) {
    m.append_queue = append;
    const auto f = [&](const std::vector<Variable>& in) {
      Generator random(1, "negatives");
      return reweighted_loss(ops::l2_normalise(in[0]), keys, picks, bank, m, random);
    };
    const auto result = autograd::gradcheck(f, {z});
    EXPECT_TRUE(result.passed) << result.text();
  }
}

TEST(Reweighting, RoiFeaturesAreWeightedMeans) {
  // 1x4x4 image, bottleneck 1x2x2 with one feature 1,2,3,4; grid 1x2x1: upper and lower half
  const Tensor f = Tensor::of({1, 1, 2, 2, 1}, std::vector<double>{1, 2, 3, 4});
  std::vector<double> map(16, 0.0);
  map[0] = 1, map[3] = 0.5;  // class 0 in the corners of the upper row
  const Variable v = roi_features(Variable(f), Tensor::of({1, 1, 4, 4, 1}, map), {{1, 2, 1}}, integers({1, 2}, {0, 1}));
  EXPECT_NEAR(v.value().to_doubles()[0], (1 * 1 + 0.5 * 2) / 1.5, 1e-15);
  EXPECT_EQ(v.value().to_doubles()[1], 0);  // no weight in the lower half
  const Tensor class_map = Tensor::full({1, 1, 4, 4, 1}, 0.5, Dtype::f64);
  const auto result = autograd::gradcheck(
      [&](const std::vector<Variable>& in) {
        return roi_features(in[0], class_map, {{1, 2, 1}}, integers({1, 2}, {0, 1}));
      },
      {tests::random_tensor({1, 1, 2, 2, 3}, 2)});
  EXPECT_TRUE(result.passed) << result.text();
}

}  // namespace
}  // namespace sagcl::tests
