#include "semiagcl/memory_bank.h"

#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using engine::Dtype;
using engine::Tensor;
using tests::Golden;

namespace {

Method small() {
  Method m;
  m.bank_size = 3, m.projection_dim = 2;
  return m;
}

/// n unit keys (cos i, sin i), i = first …
Tensor keys(int first, int n) {
  std::vector<double> v;
  for (int i = first; i < first + n; ++i) v.push_back(std::cos(i)), v.push_back(std::sin(i));
  return Tensor::of({n, 2}, v);
}

}  // namespace

TEST(MemoryBank, KeepsTheLastKeysOldestFirst) {
  MemoryBank bank(2, small(), Dtype::f64);
  EXPECT_EQ(bank.of(0).keys.shape(), (engine::Shape{0, 2}));
  bank.push(0, keys(0, 2), std::vector<double>{0.1, 0.2});
  bank.push(0, keys(2, 3), std::vector<double>{0.3, 0.4, 0.5});
  EXPECT_EQ(bank.count(0), 3);
  EXPECT_TRUE(tests::identical(bank.of(0).keys, keys(2, 3)));
  EXPECT_EQ(bank.of(0).affinity, (std::vector<double>{0.3, 0.4, 0.5}));
  EXPECT_EQ(bank.other_classes(0).affinity.size(), 0u);
  EXPECT_EQ(bank.other_classes(1).affinity.size(), 3u);
}

TEST(MemoryBank, SurvivesACheckpoint) {
  MemoryBank bank(2, small(), Dtype::f64), copy(2, small(), Dtype::f64);
  bank.push(0, keys(0, 4), std::vector<double>{0.1, 0.2, 0.3, 0.4});
  bank.push(1, keys(9, 1), std::vector<double>{0.7});
  bank.update_threshold();
  copy.load(bank.state());
  bank.push(0, keys(4, 1), std::vector<double>{0.5}), copy.push(0, keys(4, 1), std::vector<double>{0.5});
  bank.update_threshold(), copy.update_threshold();
  EXPECT_TRUE(tests::identical(bank.other_classes(1).keys, copy.other_classes(1).keys));
  EXPECT_EQ(bank.other_classes(1).affinity, copy.other_classes(1).affinity);
  EXPECT_EQ(bank.threshold(), copy.threshold());
  auto state = bank.state();
  state.erase("next");
  EXPECT_THROW(copy.load(state), engine::UsageError);
  Method larger = small();
  larger.bank_size = 4;
  EXPECT_THROW(MemoryBank(2, larger, Dtype::f64).load(bank.state()), engine::UsageError);
}

TEST(MemoryBank, RefusesWhatIsNotAKey) {
  MemoryBank bank(1, small(), Dtype::f64);
  EXPECT_THROW(bank.push(1, keys(0, 1), std::vector<double>{0.5}), engine::UsageError);
  EXPECT_THROW(bank.push(0, keys(0, 1), std::vector<double>{1.5}), engine::UsageError);
  EXPECT_THROW(bank.push(0, Tensor::full({1, 2}, 2, Dtype::f64), std::vector<double>{0.5}), engine::UsageError);
  EXPECT_THROW(bank.push(0, Tensor::full({1, 2}, NAN, Dtype::f64), std::vector<double>{0.5}), engine::UsageError);
  EXPECT_THROW(bank.push(0, Tensor::full({1, 3}, 0, Dtype::f64), std::vector<double>{0.5}), engine::ShapeError);
}

TEST(MemoryBank, GoldenThreshold) {
  const Golden g("agcl_contrast");
  const Tensor sets = g.get("threshold_update/affinities");
  const std::vector<double> v = sets.to_doubles(), want = g.get("threshold_update/theta").to_doubles();
  const std::int64_t n = sets.shape()[1];
  Method m;
  m.threshold_decay = g.number("threshold_update/attr.decay");
  m.threshold_low = g.number("threshold_update/attr.low"), m.threshold_high = g.number("threshold_update/attr.high");
  double theta = g.number("threshold_update/attr.theta0");
  for (std::size_t s = 0; s < want.size(); ++s) {
    theta = next_threshold(theta, {v.begin() + std::ptrdiff_t(s) * n, v.begin() + std::ptrdiff_t(s + 1) * n}, m);
    EXPECT_NEAR(theta, want[s], 1e-15);
  }
  EXPECT_NEAR(next_threshold(0.05, {v.begin() + 5 * n, v.begin() + 6 * n}, m), g.number("threshold_update/theta_low_start"),
              1e-15);
  EXPECT_EQ(next_threshold(0.3, {}, m), 0.3);
}

TEST(MemoryBank, ThresholdCanBeFixed) {
  Method m = small();
  m.dynamic_threshold = false;
  MemoryBank bank(1, m, Dtype::f64);
  bank.push(0, keys(0, 2), std::vector<double>{0.9, 0.9});
  bank.update_threshold();
  EXPECT_EQ(bank.threshold(), 0.5);
}
