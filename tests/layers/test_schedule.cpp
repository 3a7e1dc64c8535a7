#include <gtest/gtest.h>

#include "layers/schedule.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

/// Every t of a golden case against f(t).
template <class F>
void expect_golden(const std::string& name, const std::string& values, F f) {
  const Golden golden("agcl_schedule");
  const std::vector<std::int64_t> t = golden.integers(name + "/t");
  const std::vector<double> y = golden.get(name + "/" + values).to_doubles();
  for (std::size_t i = 0; i < t.size(); ++i) EXPECT_NEAR(f(t[i]), y[i], 1e-13) << name << " at " << t[i];
}

TEST(Schedule, Golden) {
  for (std::int64_t T : {40, 200, 6000})
    expect_golden("ramp_" + std::to_string(T), "y", [T](std::int64_t t) { return layers::ramp_up(double(t), double(T)); });
  expect_golden("ua_mt", "weight", [](std::int64_t t) { return 0.1 * layers::ramp_up(double(t / 150), 40); });
  expect_golden("poly_lr", "y", [](std::int64_t t) { return layers::poly_decay(0.01, t, 30000); });
  expect_golden("step_lr", "y", [](std::int64_t t) { return layers::step_decay(0.01, t, 2500); });
}

TEST(Schedule, Ends) {
  EXPECT_EQ(layers::poly_decay(0.1, 0, 10), 0.1);
  EXPECT_EQ(layers::poly_decay(0.1, 10, 10), 0);
  EXPECT_EQ(layers::poly_decay(0.1, 11, 10), 0);
  EXPECT_EQ(layers::poly_decay(0.1, 5, 10, 1), 0.05);
  EXPECT_EQ(layers::ramp_up(40, 40), 1);
  EXPECT_EQ(layers::ramp_up(0, 0), 1);
  const double by_hand[5] = {.006738, .060055, .286505, .731616, 1};
  for (int i = 0; i < 5; ++i) EXPECT_NEAR(layers::ramp_up(10 * i, 40), by_hand[i], 5e-7);
  EXPECT_TRUE(throws<engine::UsageError>([] { layers::poly_decay(1, -1, 10); }, "step -1 of 10"));
  EXPECT_TRUE(throws<engine::UsageError>([] { layers::step_decay(1, 1, 0); }, "every 0"));
}

}  // namespace
}  // namespace sagcl::tests
