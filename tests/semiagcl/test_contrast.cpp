#include "semiagcl/contrastive_loss.h"

#include <cmath>
#include <numeric>
#include <set>

#include "autograd/gradcheck.h"
#include "ops/gather.h"
#include "ops/reduce.h"
#include "semiagcl/reweighting.h"
#include "tests/semiagcl/contrast_support.h"
#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using autograd::Tape;
using engine::Dtype;
using engine::Generator;
using engine::Tensor;
using tests::close;
using tests::Golden;
using tests::itself;
using tests::mixed;
using tests::weights_of;

namespace {

Tensor unit_rows(std::int64_t n, std::int64_t dim, std::uint64_t seed, Dtype dtype = Dtype::f64) {
  return ops::l2_normalise(Variable(tests::random_tensor({n, dim}, seed, dtype))).value();
}

/// Rows of a golden matrix chosen by index, [indices, dim].
Tensor rows(const Tensor& x, const std::vector<std::int64_t>& index) {
  const std::vector<double> v = x.to_doubles();
  const std::int64_t dim = x.shape()[1];
  std::vector<double> out;
  for (std::int64_t i : index) out.insert(out.end(), v.begin() + i * dim, v.begin() + (i + 1) * dim);
  return Tensor::of({std::int64_t(index.size()), dim}, out);
}

Method small() {
  Method m;
  m.bank_size = 6, m.projection_dim = 4, m.n_closest = 4, m.n_hard = 5, m.min_negatives = 2;
  return m;
}

Tensor integers(const engine::Shape& shape, const std::vector<std::int32_t>& values) { return Tensor::of(shape, values); }
MemoryBank bank_of(std::int64_t classes, const Method& m) {
  return MemoryBank(classes, m, engine::Device::cpu(), Dtype::f64);
}

/// Two patches for each of two classes, of which `second` count for class 1.
Picks two_each(std::int32_t second) { return {integers({2, 2}, {0, 1, 2, 3}), integers({2}, {2, second})}; }

}  // namespace

TEST(Contrast, GoldenEq4AndEq5) {
  const Golden g("agcl_contrast");
  for (const std::string name : {"infonce_one", "infonce_batch", "infonce_dim128", "infonce_sharp"})
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name + (dtype == Dtype::f64 ? " f64" : " f32"));
      const bool sharp = name == "infonce_sharp", exact = dtype == Dtype::f64;
      const double tolerance = exact ? 1e-12 : sharp ? 5e-4 : 1e-5;
      const Tensor k = g.get(name + "/k", dtype), queue = g.get(name + "/queue", dtype);
      Variable q = Variable::parameter(g.get(name + "/q", dtype));
      const double tau = g.number(name + "/attr.tau");
      const Contrast contrast{.keys = k, .weights = itself(k.shape()[0], dtype), .shared = queue, .tau = tau};
      {
        Tape tape;
        const Variable per = contrastive_losses(q, contrast);
        if (sharp && !exact) {
          const auto got = per.value().to_doubles(), want = g.get(name + "/loss_per_anchor").to_doubles();
          for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-4);
        } else {
          EXPECT_TRUE(close(per.value(), g.get(name + "/loss_per_anchor"), tolerance));
        }
        tape.backward(ops::sum(per));
        EXPECT_TRUE(close(q.grad(), g.get(name + "/dq_of_sum"), tolerance));
      }
      const ClosedForm closed = contrastive_gradient(q.value(), k, queue, tau);
      EXPECT_TRUE(close(closed.dq, g.get(name + "/dq_of_sum"), tolerance));
      EXPECT_TRUE(close(closed.p, g.get(name + "/p"), tolerance));

      Variable z = Variable::parameter(g.get(name + "/z", dtype));  // through the normalisation of the projection head
      Tape tape;
      tape.backward(ops::mean(contrastive_losses(ops::l2_normalise(z), contrast)));
      EXPECT_TRUE(close(z.grad(), g.get(name + "/dz_of_mean"), tolerance));
    }
}

TEST(Contrast, GoldenSeveralPositives) {
  const Golden g("agcl_contrast");
  for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const double tolerance = dtype == Dtype::f64 ? 1e-12 : 1e-5;
    const Tensor keys = g.get("positives/keys", dtype);
    const std::int64_t B = keys.shape()[0], P = keys.shape()[1], dim = keys.shape()[2];
    const auto n = g.integers("positives/n_positives");
    std::vector<std::vector<std::int64_t>> positives;
    for (std::int64_t b = 0; b < B; ++b) {
      positives.emplace_back();
      for (std::int64_t j = 0; j < n[std::size_t(b)]; ++j) positives.back().push_back(b * P + j);
    }
    const Contrast c{.keys = keys.reshape({B * P, dim}),
                     .weights = weights_of(positives, B * P, dtype),
                     .shared = g.get("positives/queue", dtype),
                     .tau = g.number("positives/attr.tau")};
    Variable q = Variable::parameter(g.get("positives/q", dtype));
    Tape tape;
    const Variable loss = ops::mean(contrastive_losses(q, c));
    EXPECT_NEAR(loss.value().item(), g.number("positives/loss"), tolerance * 10);
    tape.backward(loss);
    EXPECT_TRUE(close(q.grad(), g.get("positives/dq"), tolerance));
  }
}

TEST(HardNegatives, GoldenSelectionMixingAndEq7) {
  const Golden g("agcl_contrast");
  const std::string name = "hard_negatives/";
  const auto q_class = g.integers(name + "q_class"), queue_class = g.integers(name + "queue_class"),
             pairs = g.integers(name + "pair");
  const auto closest = g.integers(name + "closest"), allowed = g.integers(name + "allowed"),
             fallback = g.integers(name + "allowed_fallback");
  const std::int64_t B = std::int64_t(q_class.size()), N = std::int64_t(g.number(name + "attr.n_closest")), K = 3;
  const std::int64_t H = g.get(name + "pair").shape()[1], dim = g.get(name + "q").shape()[1],
                     M = std::int64_t(queue_class.size());
  const std::vector<double> a = g.get(name + "queue_affinity").to_doubles(), w = g.get(name + "random_weight").to_doubles();
  for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const double tolerance = dtype == Dtype::f64 ? 1e-12 : 1e-5;
    const Tensor q = g.get(name + "q", dtype), k = g.get(name + "k", dtype), queue = g.get(name + "queue", dtype);

    Method m;  // the golden queue in a bank: of its class, key r lies in slot where[r]
    m.bank_size = M, m.projection_dim = dim;
    std::vector<std::int32_t> patch(std::size_t(K * M), 0), counted(std::size_t(K), 0);
    std::vector<std::int64_t> key(std::size_t(K * M), 0), row_of(std::size_t(K * M), -1);
    for (std::int64_t r = 0; r < M; ++r) {
      const std::int64_t c = queue_class[std::size_t(r)], slot = c * M + counted[std::size_t(c)]++;
      patch[std::size_t(slot)] = std::int32_t(r), key[std::size_t(slot)] = row_of[std::size_t(slot)] = r;
    }
    std::vector<std::int64_t> everyone(std::size_t(B), 0);
    std::iota(everyone.begin(), everyone.end(), 0);
    std::vector<std::int64_t> each;  // every anchor as one of every class; those of its own class are looked at
    for (std::int64_t c = 0; c < K; ++c) each.insert(each.end(), everyone.begin(), everyone.end());
    for (const auto& [theta, want] : {std::pair{"theta", allowed}, {"theta_fallback", fallback}}) {
      m.threshold_start = g.number(name + "attr." + theta);
      MemoryBank bank(K, m, engine::Device::cpu(), dtype);
      bank.store(rows(queue, key).to(dtype), {integers({K, M}, patch), integers({K}, counted)},
                 Tensor::of({M}, a).to(dtype));
      const semiagcl::Closest mine = closest_keys(rows(q, each).to(dtype), bank, N);
      const auto slots = mine.slots.to_vector<std::int32_t>(), found = mine.count.to_vector<std::int32_t>(),
                 first = mine.allowed.to_vector<std::int32_t>();
      for (std::int64_t b = 0; b < B; ++b) {
        SCOPED_TRACE(b);
        const std::size_t row = std::size_t(q_class[std::size_t(b)] * B + b);
        ASSERT_EQ(found[row], N);
        std::set<std::int64_t> all, front, want_all, want_front;
        for (std::size_t i = 0; i < std::size_t(N); ++i) {
          const std::int64_t r = row_of[std::size_t(slots[row * std::size_t(N) + i])];
          all.insert(r), want_all.insert(closest[std::size_t(b * N) + i]);
          if (std::int32_t(i) < first[row]) front.insert(r);
          if (want[std::size_t(b * N) + i]) want_front.insert(closest[std::size_t(b * N) + i]);
        }
        EXPECT_EQ(all, want_all);
        EXPECT_EQ(front, want_front);
      }
    }

    std::vector<std::int64_t> first, second;
    std::vector<double> weight;
    for (std::size_t p = 0; p < pairs.size(); p += 2) {
      first.push_back(pairs[p]), second.push_back(pairs[p + 1]);
      weight.push_back(a[std::size_t(pairs[p])]);
    }
    const Tensor n_i = rows(queue, first).to(dtype), n_j = rows(queue, second).to(dtype);
    const Tensor h = mixed(n_i, n_j, weight);
    EXPECT_TRUE(close(h, g.get(name + "h"), tolerance));
    EXPECT_TRUE(close(mixed(n_i, n_j, weight, Mixing::one_to_one), g.get(name + "h_one_to_one"), tolerance));
    EXPECT_TRUE(close(mixed(n_i, n_j, w), g.get(name + "h_random"), tolerance));

    // Eq. 7 with H alone, and with the queue beside it: the other classes' part, by a mask
    std::vector<double> mask;
    for (std::int64_t own : q_class)
      for (std::int64_t c : queue_class) mask.push_back(c == own ? -1e30 : 0);
    Contrast contrast{
        .keys = k, .weights = itself(B, dtype), .own = h.reshape({B, H, dim}), .tau = g.number(name + "attr.tau")};
    for (const std::string queued : {"", "_append_queue"}) {
      SCOPED_TRACE(queued);
      if (!queued.empty()) contrast.shared = queue, contrast.shared_mask = Tensor::of({B, M}, mask).to(dtype);
      Variable anchors = Variable::parameter(q);
      Tape tape;
      const Variable per = contrastive_losses(anchors, contrast), mean = ops::mean(per);
      EXPECT_TRUE(close(per.value(), g.get(name + "loss_rw" + queued + "_per_anchor"), tolerance));
      if (queued.empty()) { EXPECT_NEAR(mean.value().item(), g.number(name + "loss_rw"), tolerance * 10); }
      tape.backward(mean);
      EXPECT_TRUE(close(anchors.grad(), g.get(name + "dq_rw" + queued), tolerance));
    }
  }
}

TEST(HardNegatives, AreUnitVectorsForEveryMixing) {
  Method m = small();
  MemoryBank bank = bank_of(2, m);
  const Tensor affinity = Tensor::of({6}, std::vector<double>{0.1, 0.2, 0.3, 0.4, 0.5, 0.6});
  bank.store(unit_rows(12, 4, 1), {integers({2, 6}, {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}), integers({2}, {6, 6})}, affinity);
  const Tensor anchors = unit_rows(4, 4, 2);
  for (Mixing mixing : {Mixing::affinity, Mixing::one_to_one, Mixing::random}) {
    m.mixing = mixing;
    Generator random(1, "negatives");
    const Tensor h = hard_negatives(anchors, bank, m, random);
    EXPECT_EQ(h.shape(), (engine::Shape{4, 5, 4}));
    const std::vector<double> v = h.to_doubles();
    for (std::size_t r = 0; r < v.size() / 4; ++r)
      EXPECT_NEAR(std::inner_product(v.begin() + std::ptrdiff_t(4 * r), v.begin() + std::ptrdiff_t(4 * r + 4),
                                     v.begin() + std::ptrdiff_t(4 * r), 0.0),
                  1, 1e-12);
    Generator again(1, "negatives");
    EXPECT_TRUE(tests::identical(h, hard_negatives(anchors, bank, m, again)));
  }
  Generator random(1, "negatives");
  for (double v : hard_negatives(anchors, bank_of(2, m), m, random).to_doubles()) EXPECT_EQ(v, 0);  // no key at all
  m.mixing = Mixing::none;
  EXPECT_THROW(hard_negatives(anchors, bank, m, random), engine::UsageError);
  EXPECT_THROW(closest_keys(unit_rows(3, 4, 2), bank, 4), engine::ShapeError);
}

TEST(HardNegatives, DrawOnlyFromTheClosestAndBelowTheThreshold) {
  // keys e_0 … e_3, of which the last does not count among the closest; only e_0 and e_2 may be n_i, its weight is 1
  std::vector<double> unit(16, 0.0);
  for (std::size_t d = 0; d < 4; ++d) unit[5 * d] = 1;
  const semiagcl::KeyRing ring{Tensor::of({1, 4, 4}, unit), Tensor::full({1, 4}, 1, Dtype::f64), integers({1}, {4}),
                               integers({1}, {0})};
  Method m;
  m.n_hard = 200;
  Generator random(5, "pairs");
  const auto drawn = [&](Mixing mixing) {  // how often each key takes part
    m.mixing = mixing;
    const std::vector<double> h =
        mixtures(ring, {integers({1, 3}, {0, 2, 1}), integers({1}, {3}), integers({1}, {2})}, m, random).to_doubles();
    std::vector<int> times(4, 0);
    for (std::size_t i = 0; i < h.size(); ++i) times[i % 4] += h[i] > 0;
    return times;
  };
  const std::vector<int> n_i = drawn(Mixing::affinity), both = drawn(Mixing::one_to_one);
  EXPECT_GT(n_i[0], 50);
  EXPECT_EQ(n_i[0] + n_i[2], 200);  // each mixture is its n_i
  EXPECT_GT(both[1], 30);
  EXPECT_EQ(both[3], 0);
}

TEST(Contrast, Gradcheck) {
  const Tensor keys = unit_rows(3, 4, 1), own = unit_rows(2 * 5, 4, 2).reshape({2, 5, 4}), shared = unit_rows(6, 4, 3);
  const Contrast c{
      .keys = keys, .weights = weights_of({{0, 2}, {1}}, 3, Dtype::f64), .own = own, .shared = shared, .tau = 0.5};
  const auto result =
      autograd::gradcheck([&](const std::vector<Variable>& in) { return contrastive_losses(ops::l2_normalise(in[0]), c); },
                          {tests::random_tensor({2, 4}, 4)});
  EXPECT_TRUE(result.passed) << result.text();
}

TEST(Contrast, Errors) {
  const Variable q(unit_rows(2, 4, 1));
  const Tensor k = unit_rows(2, 4, 2);
  const Tensor w = itself(2, Dtype::f64);
  EXPECT_THROW(contrastive_losses(q, {.keys = k, .weights = w}), engine::UsageError);  // no negatives
  EXPECT_THROW(contrastive_losses(q, {.keys = k, .weights = w, .shared = k, .shared_mask = w}), engine::UsageError);
  EXPECT_THROW(contrastive_losses(q, {.keys = k, .weights = itself(1, Dtype::f64), .shared = k}), engine::ShapeError);
  EXPECT_THROW(contrastive_losses(q, {.keys = unit_rows(2, 3, 2), .weights = w, .shared = k}), engine::ShapeError);
}

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
