#include <gtest/gtest.h>

#include <cmath>

#include "engine/parallel.h"
#include "ops/backend.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using engine::Dtype;

Tensor number(double value) { return Tensor::of<double>({1}, {value}); }
Tensor adam_rates(double lr, int t) {
  return Tensor::of<double>({3}, {lr / (1 - std::pow(0.9, t)), 1 / std::sqrt(1 - std::pow(0.999, t)), 1});
}

TEST(SgdUpdate, TwoStepsByHand) {  // g = 1, momentum 0.5, lr 0.1: v = 1, then 1.5
  ops::SgdSlot s{Tensor::of<double>({1}, {2}), Tensor::of<double>({1}, {1}), Tensor::zeros({1}, Dtype::f64)};
  const ops::SgdSpec spec{.momentum = 0.5};
  ops::backend(engine::Device::cpu()).sgd(spec, number(0.1), {}, {s});
  EXPECT_NEAR(s.p.item(), 1.9, 1e-15);
  ops::backend(engine::Device::cpu()).sgd(spec, number(0.1), {}, {s});
  EXPECT_NEAR(s.p.item(), 1.75, 1e-15);
  EXPECT_NEAR(s.v.item(), 1.5, 1e-15);
}

TEST(SgdUpdate, WeightDecayPullsToZero) {  // g + 0.5 p = 1
  ops::SgdSlot s{Tensor::of<double>({1}, {2}), Tensor::zeros({1}, Dtype::f64), Tensor::zeros({1}, Dtype::f64)};
  ops::backend(engine::Device::cpu()).sgd({.momentum = 0, .weight_decay = 0.5}, number(0.1), {}, {s});
  EXPECT_NEAR(s.p.item(), 1.9, 1e-15);
}

TEST(AdamUpdate, FirstStepIsLrTimesSign) {  // m̂ = g and v̂ = g², so each parameter moves by lr g / (|g| + eps)
  ops::AdamSlot s{Tensor::of<double>({3}, {1, 1, 1}), Tensor::of<double>({3}, {5, -0.01, 0}), Tensor::zeros({3}, Dtype::f64),
                  Tensor::zeros({3}, Dtype::f64)};
  ops::backend(engine::Device::cpu()).adam({}, adam_rates(0.1, 1), {}, {s});
  EXPECT_TRUE(close(s.p, Tensor::of<double>({3}, {1 - 0.1 * 5 / (5 + 1e-8), 1 + 0.1 * 0.01 / (0.01 + 1e-8), 1}), 1e-14));
  EXPECT_TRUE(close(s.m, Tensor::of<double>({3}, {0.5, -0.001, 0}), 1e-14));
  EXPECT_TRUE(close(s.v, Tensor::of<double>({3}, {0.025, 1e-7, 0}), 1e-13));
}

TEST(AdamUpdate, AgreesWithItsDefinition) {
  const std::vector<double> start = random_tensor({1000}, 1).to_doubles();
  std::vector<double> p = start, m(1000), v(1000);
  ops::AdamSlot wide{random_tensor({1000}, 1), {}, Tensor::zeros({1000}, Dtype::f64), Tensor::zeros({1000}, Dtype::f64)};
  ops::AdamSlot narrow{random_tensor({1000}, 1, Dtype::f32), {}, Tensor::zeros({1000}), Tensor::zeros({1000})};
  for (int t = 1; t <= 5; ++t) {
    wide.g = random_tensor({1000}, std::uint64_t(10 + t)), narrow.g = wide.g.to(Dtype::f32);
    const std::vector<double> g = wide.g.to_doubles();
    for (std::size_t i = 0; i < 1000; ++i) {
      const double gradient = g[i] + 0.01 * p[i];
      m[i] = 0.9 * m[i] + 0.1 * gradient;
      v[i] = 0.999 * v[i] + 0.001 * gradient * gradient;
      p[i] -= 0.001 * (m[i] / (1 - std::pow(0.9, t))) / (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8);
    }
    ops::backend(engine::Device::cpu()).adam({.weight_decay = 0.01}, adam_rates(0.001, t), {}, {wide});
    ops::backend(engine::Device::cpu()).adam({.weight_decay = 0.01}, adam_rates(0.001, t), {}, {narrow});
  }
  EXPECT_TRUE(close(wide.p, Tensor::of({1000}, p), 1e-14));
  EXPECT_TRUE(close(narrow.p, Tensor::of({1000}, p), 1e-6));
}

TEST(Average, GoldenTeachers) {
  const Golden golden("agcl_schedule");
  for (const std::string name : {"ema_start", "ema_crossing", "ema_late_0.99"})
    for (const auto& [dtype, tolerance] : {std::pair(Dtype::f64, 1e-13), std::pair(Dtype::f32, 2e-6)}) {
      SCOPED_TRACE(name);
      Tensor teacher = golden.get(name + "/teacher0", dtype).clone();
      const std::vector<double> students = golden.get(name + "/students").to_doubles(),
                                expected = golden.get(name + "/teacher").to_doubles();
      const std::vector<double> alpha = golden.get(name + "/alpha").to_doubles();
      for (std::size_t t = 0; t < alpha.size(); ++t) {
        const auto row = [&](const std::vector<double>& all) {
          return Tensor::of({7}, std::vector<double>(all.begin() + long(7 * t), all.begin() + long(7 * t + 7)));
        };
        ops::backend(engine::Device::cpu()).average(number(alpha[t]), {}, {{teacher, row(students).to(dtype)}});
        EXPECT_TRUE(close(teacher, row(expected), tolerance));
      }
    }
}

TEST(Updates, NothingChangesWhereClosed) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64})
    for (const double open : {0.0, 1.0}) {
      const Tensor one = Tensor::full({5}, 1, dtype), two = Tensor::full({5}, 2, dtype);
      const ops::AdamSlot a{one.clone(), two, one.clone(), one.clone()};
      const ops::SgdSlot s{one.clone(), two, one.clone()};
      const Tensor teacher = one.clone();
      ops::backend(engine::Device::cpu()).adam({}, adam_rates(0.1, 1), number(open), {a});
      ops::backend(engine::Device::cpu()).sgd({}, number(0.1), number(open), {s});
      ops::backend(engine::Device::cpu()).average(number(0.5), number(open), {{teacher, two}});
      for (const Tensor& t : {a.p, a.m, a.v, s.p, s.v, teacher}) EXPECT_EQ(bool(identical(t, one)), open == 0);
    }
}

TEST(Updates, ACallThatThrewLeavesNothingForTheNext) {
  const auto slot = [](double p, Dtype of_m) {
    return ops::AdamSlot{Tensor::full({4}, p), Tensor::full({4}, 1), Tensor::zeros({4}, of_m), Tensor::zeros({4})};
  };
  const ops::AdamSlot good = slot(1, Dtype::f32), bad = slot(1, Dtype::f64), next = slot(1, Dtype::f32);
  EXPECT_THROW(ops::backend(engine::Device::cpu()).adam({}, adam_rates(0.5, 1), {}, {good, bad}), engine::Error);
  ops::backend(engine::Device::cpu()).adam({}, adam_rates(0.5, 1), {}, {next});
  EXPECT_EQ(good.p.to_doubles(), std::vector<double>(4, 1.0));
  EXPECT_NEAR(next.p.to_doubles()[0], 0.5, 1e-6);
}

TEST(Updates, ManySlotsOfAllSizesAndAnyNumberOfThreads) {
  const int before = engine::threads();
  const std::vector<std::int64_t> sizes{1, 16, 31, 4097, 100000, 0};
  std::vector<Tensor> results[3];
  int run = 0;
  for (int threads : {1, 2, 8}) {
    engine::set_threads(threads);
    std::vector<ops::AdamSlot> adam;
    std::vector<ops::SgdSlot> sgd;
    for (std::int64_t n : sizes) {
      adam.push_back(
          {random_tensor({n}, 1, Dtype::f32), random_tensor({n}, 2, Dtype::f32), Tensor::zeros({n}), Tensor::zeros({n})});
      sgd.push_back({random_tensor({n}, 3, Dtype::f32), random_tensor({n}, 4, Dtype::f32), Tensor::zeros({n})});
    }
    for (int t = 1; t <= 2; ++t) {
      ops::backend(engine::Device::cpu()).adam({}, adam_rates(0.01, t), {}, adam);
      ops::backend(engine::Device::cpu()).sgd({.weight_decay = 0.1}, number(0.01), {}, sgd);
    }
    for (std::size_t k = 0; k < sizes.size(); ++k) results[run].insert(results[run].end(), {adam[k].p, sgd[k].p});
    ++run;
  }
  engine::set_threads(before);
  for (int k : {1, 2})
    for (std::size_t i = 0; i < results[0].size(); ++i) EXPECT_TRUE(identical(results[k][i], results[0][i]));
}

}  // namespace
}  // namespace sagcl::tests
