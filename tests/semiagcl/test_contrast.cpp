#include "semiagcl/contrastive_loss.h"

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/gather.h"
#include "ops/reduce.h"
#include "semiagcl/hard_negatives.h"
#include "semiagcl/reweighting.h"
#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using autograd::Tape;
using engine::Dtype;
using engine::Generator;
using engine::Tensor;
using tests::close;
using tests::Golden;

namespace {

Tensor unit_rows(std::int64_t n, std::int64_t dim, std::uint64_t seed, Dtype dtype = Dtype::f64) {
  return ops::l2_normalize(Variable(tests::random_tensor({n, dim}, seed, dtype))).value();
}

std::vector<std::vector<std::int64_t>> itself(std::int64_t n) {
  std::vector<std::vector<std::int64_t>> lists;
  for (std::int64_t i = 0; i < n; ++i) lists.push_back({i});
  return lists;
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
      const Contrast contrast{.keys = k, .positives = itself(k.shape()[0]), .shared = queue, .tau = tau};
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
      tape.backward(ops::mean(contrastive_losses(ops::l2_normalize(z), contrast)));
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
    Contrast c{.keys = keys.reshape({B * P, dim}),
               .positives = {},
               .shared = g.get("positives/queue", dtype),
               .tau = g.number("positives/attr.tau")};
    for (std::int64_t b = 0; b < B; ++b) {
      c.positives.emplace_back();
      for (std::int64_t j = 0; j < n[std::size_t(b)]; ++j) c.positives.back().push_back(b * P + j);
    }
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
  const std::int64_t B = std::int64_t(q_class.size()), N = std::int64_t(g.number(name + "attr.n_closest"));
  const std::int64_t H = g.get(name + "pair").shape()[1], dim = g.get(name + "q").shape()[1];
  const std::vector<double> a = g.get(name + "queue_affinity").to_doubles(), w = g.get(name + "random_weight").to_doubles();
  for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const double tolerance = dtype == Dtype::f64 ? 1e-12 : 1e-5;
    const Tensor q = g.get(name + "q", dtype), k = g.get(name + "k", dtype), queue = g.get(name + "queue", dtype);
    std::vector<std::int64_t> first, second;
    std::vector<double> weight;
    for (std::int64_t b = 0; b < B; ++b) {
      SCOPED_TRACE(b);
      std::vector<std::int64_t> others;  // the other classes' banks, as rows of the golden queue
      std::vector<double> affinity;
      for (std::size_t r = 0; r < queue_class.size(); ++r)
        if (queue_class[r] != q_class[std::size_t(b)]) others.push_back(std::int64_t(r)), affinity.push_back(a[r]);
      const auto mine = closest_keys(rows(q, {b}).to(dtype), rows(queue, others).to(dtype), N)[0];
      for (std::int64_t i = 0; i < N; ++i)
        EXPECT_EQ(others[std::size_t(mine[std::size_t(i)])], closest[std::size_t(b * N + i)]);
      const auto ok = allowed_by_threshold(mine, affinity, g.number(name + "attr.theta"));
      const auto all = allowed_by_threshold(mine, affinity, g.number(name + "attr.theta_fallback"));
      for (std::int64_t i = 0; i < N; ++i) {
        EXPECT_EQ(ok[std::size_t(i)], allowed[std::size_t(b * N + i)]);
        EXPECT_EQ(all[std::size_t(i)], fallback[std::size_t(b * N + i)]);
      }
      for (std::int64_t h = 0; h < H; ++h) {
        first.push_back(pairs[std::size_t((b * H + h) * 2)]), second.push_back(pairs[std::size_t((b * H + h) * 2 + 1)]);
        weight.push_back(a[std::size_t(first.back())]);
      }
    }
    const Tensor n_i = rows(queue, first).to(dtype), n_j = rows(queue, second).to(dtype);
    const Tensor h = mix(n_i, n_j, weight);
    EXPECT_TRUE(close(h, g.get(name + "h"), tolerance));
    EXPECT_TRUE(close(mix(n_i, n_j, std::vector<double>(weight.size(), 0.5)), g.get(name + "h_one_to_one"), tolerance));
    EXPECT_TRUE(close(mix(n_i, n_j, w), g.get(name + "h_random"), tolerance));

    Variable anchors = Variable::parameter(q);
    {
      Tape tape;
      const Variable per = contrastive_losses(
          anchors, {.keys = k, .positives = itself(B), .own = h.reshape({B, H, dim}), .tau = g.number(name + "attr.tau")});
      EXPECT_TRUE(close(per.value(), g.get(name + "loss_rw_per_anchor"), tolerance));
      const Variable mean = ops::mean(per);
      EXPECT_NEAR(mean.value().item(), g.number(name + "loss_rw"), tolerance * 10);
      tape.backward(mean);
      EXPECT_TRUE(close(anchors.grad(), g.get(name + "dq_rw"), tolerance));
    }
    // with the queue beside H: the queue differs by class, so one anchor at a time
    const std::vector<double> want = g.get(name + "loss_rw_append_queue_per_anchor").to_doubles(),
                              slopes = g.get(name + "dq_rw_append_queue").to_doubles();
    for (std::int64_t b = 0; b < B; ++b) {
      std::vector<std::int64_t> others, own;
      for (std::size_t r = 0; r < queue_class.size(); ++r)
        if (queue_class[r] != q_class[std::size_t(b)]) others.push_back(std::int64_t(r));
      for (std::int64_t i = 0; i < H; ++i) own.push_back(b * H + i);
      Variable anchor = Variable::parameter(rows(q, {b}).to(dtype));
      Tape tape;
      const Variable loss = contrastive_losses(anchor, {.keys = rows(k, {b}).to(dtype),
                                                        .positives = {{0}},
                                                        .own = rows(h, own).to(dtype).reshape({1, H, dim}),
                                                        .shared = rows(queue, others).to(dtype),
                                                        .tau = g.number(name + "attr.tau")});
      EXPECT_NEAR(loss.value().item(), want[std::size_t(b)], tolerance * 10);
      tape.backward(loss);
      const std::vector<double> mine = anchor.grad().to_doubles();
      for (std::int64_t d = 0; d < dim; ++d)
        EXPECT_NEAR(mine[std::size_t(d)] / double(B), slopes[std::size_t(b * dim + d)], tolerance);
    }
  }
}

TEST(HardNegatives, AreUnitVectorsForEveryMixing) {
  Method m = small();
  MemoryBank::Keys others{unit_rows(9, 4, 1), {}};
  for (int i = 0; i < 9; ++i) others.affinity.push_back(0.1 * (i + 1));
  for (Mixing mixing : {Mixing::affinity, Mixing::one_to_one, Mixing::random}) {
    m.mixing = mixing;
    Generator random(1, "negatives");
    const Tensor h = hard_negatives(unit_rows(3, 4, 2), others, 0.4, m, random);
    EXPECT_EQ(h.shape(), (engine::Shape{3, 5, 4}));
    const std::vector<double> v = h.to_doubles();
    for (std::size_t r = 0; r < v.size() / 4; ++r) {
      double length = 0;
      for (std::size_t d = 0; d < 4; ++d) length += v[4 * r + d] * v[4 * r + d];
      EXPECT_NEAR(length, 1, 1e-12);
    }
    Generator again(1, "negatives");
    EXPECT_TRUE(tests::identical(h, hard_negatives(unit_rows(3, 4, 2), others, 0.4, m, again)));
  }
  Generator random(1, "negatives");
  EXPECT_THROW(hard_negatives(unit_rows(3, 4, 2), {Tensor::zeros({0, 4}, Dtype::f64), {}}, 0.4, m, random),
               engine::UsageError);
}

TEST(HardNegatives, DrawOnlyFromTheClosestAndBelowTheThreshold) {
  Generator random(5, "pairs");
  for (const Pair& p : draw_pairs({7, 3, 9, 1}, {0, 1, 0, 1}, 200, random)) {
    EXPECT_TRUE(p.i == 3 || p.i == 1);
    EXPECT_TRUE(p.j == 7 || p.j == 3 || p.j == 9 || p.j == 1);
  }
}

TEST(Contrast, Gradcheck) {
  const Tensor keys = unit_rows(3, 4, 1), own = unit_rows(2 * 5, 4, 2).reshape({2, 5, 4}), shared = unit_rows(6, 4, 3);
  const Contrast c{.keys = keys, .positives = {{0, 2}, {1}}, .own = own, .shared = shared, .tau = 0.5};
  const auto result =
      autograd::gradcheck([&](const std::vector<Variable>& in) { return contrastive_losses(ops::l2_normalize(in[0]), c); },
                          {tests::random_tensor({2, 4}, 4)});
  EXPECT_TRUE(result.passed) << result.text();
}

TEST(Contrast, Errors) {
  const Variable q(unit_rows(2, 4, 1));
  const Tensor k = unit_rows(2, 4, 2);
  EXPECT_THROW(contrastive_losses(q, {.keys = k, .positives = itself(2)}), engine::UsageError);               // no negatives
  EXPECT_THROW(contrastive_losses(q, {.keys = k, .positives = {{0}, {}}, .shared = k}), engine::UsageError);  // no positive
  EXPECT_THROW(contrastive_losses(q, {.keys = k, .positives = {{0}}, .shared = k}),
               engine::ShapeError);  // lists of one anchor
  EXPECT_THROW(contrastive_losses(q, {.keys = unit_rows(2, 3, 2), .positives = itself(2), .shared = k}), engine::ShapeError);
}

TEST(Reweighting, SkipsClassesUntilTheOtherBanksAreFilled) {
  const Method m = small();
  MemoryBank bank(2, m, Dtype::f64);
  const std::vector<Pick> picks{{0, 0}, {1, 0}, {2, 1}};
  const Tensor keys = unit_rows(3, 4, 1);
  const Variable q(unit_rows(3, 4, 2));
  Generator random(1, "negatives");
  EXPECT_FALSE(reweighted_loss(q, keys, picks, bank, m, random).defined());  // empty banks
  remember(bank, keys, picks, {0.2, 0.4, 0.9});
  bank.update_threshold();
  EXPECT_EQ(bank.count(0), 2);
  EXPECT_EQ(bank.count(1), 1);
  EXPECT_NEAR(bank.threshold(), 0.4, 1e-15);  // the first update takes the median
  const Variable loss = reweighted_loss(q, keys, picks, bank, m, random);  // class 1 has two negatives, class 0 only one
  EXPECT_TRUE(loss.defined());
  EXPECT_GT(loss.value().item(), 0);
  EXPECT_THROW(reweighted_loss(q, keys, {{0, 0}, {1, 1}, {2, 0}}, bank, m, random), engine::UsageError);
}

TEST(Reweighting, OneClassOnlyHasNoNegatives) {
  const Method m = small();
  MemoryBank bank(1, m, Dtype::f64);
  remember(bank, unit_rows(4, 4, 1), {{0, 0}, {1, 0}, {2, 0}, {3, 0}}, {0.5, 0.5, 0.5, 0.5});
  Generator random(1, "negatives");
  EXPECT_FALSE(reweighted_loss(Variable(unit_rows(1, 4, 2)), unit_rows(1, 4, 3), {{0, 0}}, bank, m, random).defined());
}

TEST(Reweighting, GradcheckWithAndWithoutQueue) {
  Method m = small();
  MemoryBank bank(2, m, Dtype::f64);
  const std::vector<Pick> picks{{0, 0}, {1, 0}, {2, 1}, {3, 1}};
  remember(bank, unit_rows(4, 4, 1), picks, {0.2, 0.4, 0.9, 0.3});
  bank.update_threshold();
  const Tensor keys = unit_rows(4, 4, 5), z = tests::random_tensor({4, 4}, 6);
  m.n_closest = 2;  // both keys are always among the closest, so moving q does not change what is drawn
  for (bool append : {false, true}) {
    m.append_queue = append;
    // the draws follow the order of similarity; one closest order needs the two keys to stay apart
    const auto f = [&](const std::vector<Variable>& in) {
      Generator random(1, "negatives");
      return reweighted_loss(ops::l2_normalize(in[0]), keys, picks, bank, m, random);
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
  const Variable v = roi_features(Variable(f), Tensor::of({1, 1, 4, 4, 1}, map), {{1, 2, 1}}, {{0, 0}, {1, 0}});
  EXPECT_NEAR(v.value().to_doubles()[0], (1 * 1 + 0.5 * 2) / 1.5, 1e-15);
  EXPECT_EQ(v.value().to_doubles()[1], 0);  // no weight in the lower half
  const Tensor class_map = Tensor::full({1, 1, 4, 4, 1}, 0.5, Dtype::f64);
  const auto result = autograd::gradcheck(
      [&](const std::vector<Variable>& in) {
        return roi_features(in[0], class_map, {{1, 2, 1}}, {{0, 0}, {1, 0}});
      },
      {tests::random_tensor({1, 1, 2, 2, 3}, 2)});
  EXPECT_TRUE(result.passed) << result.text();
}
