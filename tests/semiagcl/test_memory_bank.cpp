#include "semiagcl/memory_bank.h"

#include <algorithm>
#include <cmath>

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

/// Stores n keys of one class, all of which count, with their affinities.
void store(MemoryBank& bank, std::int64_t label, const Tensor& keys, const std::vector<double>& affinity,
           const Tensor& open = {}) {
  const std::int64_t K = bank.ring().keys.shape()[0], n = keys.shape()[0], dim = bank.ring().keys.shape()[2];
  Tensor all = Tensor::zeros({K * n, keys.shape()[1]}, keys.dtype());
  if (keys.shape()[1] == dim) std::copy_n(keys.data<double>(), keys.size(), all.data<double>() + label * n * dim);
  std::vector<std::int32_t> patch, counted(std::size_t(K), 0);
  for (std::int64_t i = 0; i < K * n; ++i) patch.push_back(std::int32_t(i % n));
  counted[std::size_t(label)] = std::int32_t(n);
  bank.store(all, {Tensor::of({K, n}, patch), Tensor::of({K}, counted)}, Tensor::of({n}, affinity), open);
}

MemoryBank make(std::int64_t classes, const Method& m) { return MemoryBank(classes, m, engine::Device::cpu(), Dtype::f64); }

}  // namespace

TEST(MemoryBank, KeepsTheLastKeysOldestFirst) {
  MemoryBank bank = make(2, small());
  EXPECT_EQ(bank.of(0).keys.shape(), (engine::Shape{0, 2}));
  store(bank, 0, keys(0, 2), {0.1, 0.2});
  store(bank, 0, keys(2, 3), {0.3, 0.4, 0.5});
  EXPECT_EQ(bank.count(0), 3);
  EXPECT_TRUE(tests::identical(bank.of(0).keys, keys(2, 3)));
  EXPECT_EQ(bank.of(0).affinity, (std::vector<double>{0.3, 0.4, 0.5}));
  EXPECT_EQ(bank.count(1), 0);
  store(bank, 0, keys(5, 1), {0.6});
  EXPECT_TRUE(tests::identical(bank.of(0).keys, keys(3, 3)));
  const std::vector<double> mask = bank.other_classes(1).to_doubles();  // [2 classes, 2 x 3 keys]
  EXPECT_EQ(mask, (std::vector<double>{-1e30, -1e30, -1e30, -1e30, -1e30, -1e30, 0, 0, 0, -1e30, -1e30, -1e30}));
}

TEST(MemoryBank, StoresOnlyWhatCounts) {
  MemoryBank bank = make(2, small());
  const Picks picks{Tensor::of({2, 2}, std::vector<std::int32_t>{3, 1, 0, 2}),
                    Tensor::of({2}, std::vector<std::int32_t>{1, 2})};
  const Tensor affinity = Tensor::of({4}, std::vector<double>{0.1, 0.2, 0.3, 0.4});
  bank.store(keys(0, 4), picks, affinity, Tensor::zeros({1}, Dtype::f64));  // the loss was not finite
  EXPECT_EQ(bank.count(0) + bank.count(1), 0);
  bank.store(keys(0, 4), picks, affinity, Tensor::full({1}, 1, Dtype::f64));
  EXPECT_TRUE(tests::identical(bank.of(0).keys, keys(0, 1)));
  EXPECT_EQ(bank.of(0).affinity, (std::vector<double>{0.4}));
  EXPECT_TRUE(tests::identical(bank.of(1).keys, keys(2, 2)));
  EXPECT_EQ(bank.of(1).affinity, (std::vector<double>{0.1, 0.3}));
}

TEST(MemoryBank, SurvivesACheckpoint) {
  MemoryBank bank = make(2, small()), copy = make(2, small());
  store(bank, 0, keys(0, 2), {0.1, 0.2}), store(bank, 0, keys(2, 2), {0.3, 0.4});
  store(bank, 1, keys(9, 1), {0.7});
  bank.update_threshold();
  copy.load(bank.state());
  for (MemoryBank* b : {&bank, &copy}) store(*b, 0, keys(4, 1), {0.5}), b->update_threshold();
  EXPECT_TRUE(tests::identical(bank.of(0).keys, copy.of(0).keys));
  EXPECT_EQ(bank.of(0).affinity, copy.of(0).affinity);
  EXPECT_EQ(bank.threshold(), copy.threshold());
  auto state = bank.state();
  state.erase("next");
  EXPECT_THROW(copy.load(state), engine::DataError);
  Method larger = small();
  larger.bank_size = 4;
  EXPECT_THROW(make(2, larger).load(bank.state()), engine::DataError);
}

TEST(MemoryBank, ReadsOlderCheckpoints) {
  // f64 affinities beside f32 keys, and 0 where nothing was ever stored
  MemoryBank bank(2, small());
  auto state = bank.state();
  state["affinity"] = Tensor::of({2, 3}, std::vector<double>{0.4, 0.6, 0, 0, 0, 0});
  state["count"] = state["next"] = Tensor::of({2}, std::vector<std::int32_t>{2, 0});
  state["threshold"] = Tensor::of({2}, std::vector<double>{0.25, 0});
  bank.load(state);
  EXPECT_EQ(bank.threshold(), 0.25);
  bank.update_threshold();
  EXPECT_NEAR(bank.threshold(), 0.5, 1e-7);  // the median of what is there
  EXPECT_EQ(bank.count(0), 2);
}

TEST(MemoryBank, RefusesWhatIsNotAKey) {
  MemoryBank bank = make(1, small());
  EXPECT_THROW(bank.of(1), engine::UsageError);
  EXPECT_THROW(store(bank, 0, keys(0, 1), {1.5}), engine::UsageError);
  EXPECT_THROW(store(bank, 0, Tensor::full({1, 2}, 2, Dtype::f64), {0.5}), engine::UsageError);
  EXPECT_THROW(store(bank, 0, Tensor::full({1, 2}, NAN, Dtype::f64), {0.5}), engine::UsageError);
  EXPECT_THROW(store(bank, 0, Tensor::full({1, 3}, 0, Dtype::f64), {0.5}), engine::ShapeError);
  EXPECT_THROW(bank.store(keys(0, 1).to(Dtype::f32), {Tensor::zeros({1, 1}, Dtype::i32), Tensor::zeros({1}, Dtype::i32)},
                          Tensor::zeros({1})),
               engine::DtypeError);
}

TEST(MemoryBank, GoldenThreshold) {
  const Golden g("agcl_contrast");
  const Tensor sets = g.get("threshold_update/affinities");
  const std::vector<double> v = sets.to_doubles(), want = g.get("threshold_update/theta").to_doubles();
  const std::int64_t n = sets.shape()[1];
  Method m = small();
  m.bank_size = n, m.threshold_from_first = false;  // every set takes the place of the one before
  m.threshold_decay = g.number("threshold_update/attr.decay");
  m.threshold_low = g.number("threshold_update/attr.low"), m.threshold_high = g.number("threshold_update/attr.high");
  m.threshold_start = g.number("threshold_update/attr.theta0");
  const auto next = [&](MemoryBank& bank, std::size_t set) {
    store(bank, 0, keys(0, int(n)), {v.begin() + std::ptrdiff_t(set) * n, v.begin() + std::ptrdiff_t(set + 1) * n});
    bank.update_threshold();
    return bank.threshold();
  };
  MemoryBank bank = make(1, m);
  bank.update_threshold();
  EXPECT_EQ(bank.threshold(), m.threshold_start);  // nothing is stored
  for (std::size_t s = 0; s < want.size(); ++s) EXPECT_NEAR(next(bank, s), want[s], 1e-15);
  const double before = bank.threshold();
  bank.update_threshold(Tensor::zeros({1}, Dtype::f64));  // the loss was not finite
  EXPECT_EQ(bank.threshold(), before);
  m.threshold_start = 0.05;
  MemoryBank low = make(1, m);
  EXPECT_NEAR(next(low, 5), g.number("threshold_update/theta_low_start"), 1e-15);
}

TEST(MemoryBank, ThresholdCanBeFixed) {
  Method m = small();
  m.dynamic_threshold = false;
  MemoryBank bank = make(1, m);
  store(bank, 0, keys(0, 2), {0.9, 0.9});
  bank.update_threshold();
  EXPECT_EQ(bank.threshold(), 0.5);
}
