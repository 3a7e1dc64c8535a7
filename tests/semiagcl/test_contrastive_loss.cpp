#include "semiagcl/contrastive_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/reduce.h"
#include "tests/semiagcl/contrast_support.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using autograd::Tape;
using engine::Dtype;

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

}  // namespace
}  // namespace sagcl::tests
