#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/arithmetic.h"
#include "semiagcl/baselines/dtc.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;

TEST(Dtc, DualTaskLossByHand) {
  // probabilities 1/5, 3/5, 1/5 against T = 1/2, 1/5; a third each against T = 1, 0
  const Variable z(Tensor::of({1, 1, 1, 2, 3}, Doubles{0, std::log(3), 0, 0, 0, 0}));
  const Variable s(Tensor::of({1, 1, 1, 2, 2}, Doubles{0, std::log(4) / 1500, -1, 1}));
  EXPECT_NEAR(dual_task_loss(z, s).value().item(), (0.01 + 0 + 4. / 9 + 1. / 9) / 4, 1e-15);
}

TEST(Dtc, Gradcheck) {
  const auto result =
      autograd::gradcheck([](const Variables& in) { return dual_task_loss(in[0], ops::scale(in[1], 1. / 1500)); },
                          {random_tensor({1, 1, 2, 3, 3}, 1), random_tensor({1, 1, 2, 3, 2}, 2)});
  EXPECT_TRUE(result.passed) << result.text();
}

TEST(Dtc, TheHeadLearnsFromTheStartAndBothTasksMeetAfterTheWarmUp) {
  const TrainingData data = small_data(true);
  const RunSettings s = small_settings("dtc", true);
  Trainer trainer(s, data, {});
  while (!trainer.finished()) trainer.advance();
  for (const StepReport& r : trainer.reports()) {
    const auto& terms = r.values.terms;
    EXPECT_EQ(terms.count("dual"), r.step > 2) << r.step;
    const double dual = r.step > 2 ? terms.at("dual") : 0;
    EXPECT_NEAR(r.values.loss, terms.at("sup") + 0.3 * terms.at("sdf") + r.ramp * dual, 1e-6);
  }
}

}  // namespace
}  // namespace sagcl::tests
