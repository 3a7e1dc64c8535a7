#include "semiagcl/hard_negatives.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

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

}  // namespace
}  // namespace sagcl::tests
