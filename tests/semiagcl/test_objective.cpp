#include "semiagcl/training/objective.h"

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/arithmetic.h"
#include "ops/gather.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "semiagcl/affinity.h"
#include "semiagcl/affinity_loss.h"
#include "semiagcl/consistency.h"
#include "semiagcl/contrastive_loss.h"
#include "semiagcl/training/phases.h"
#include "semiagcl/training/supervised_loss.h"
#include "semiagcl/training/teacher.h"
#include "semiagcl/training/warm_up.h"
#include "tests/semiagcl/contrast_support.h"
#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using autograd::Tape;
using engine::Dtype;
using engine::Tensor;
using tests::close;
using tests::Golden;

TEST(Consistency, GoldenSoftCrossEntropy) {
  const Golden g("agcl_schedule");
  for (const std::string name : {"l_reg_2d_c4", "l_reg_3d_c2", "l_reg_large"})
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name);
      const double tolerance = dtype == Dtype::f64 ? 1e-13 : 2e-6;
      Variable student = Variable::parameter(g.get(name + "/student_logits", dtype));
      const Tensor teacher = ops::softmax(Variable(g.get(name + "/teacher_logits", dtype))).value();
      Tape tape;
      const Variable loss = consistency_loss(student, teacher, Consistency::soft_ce);
      EXPECT_TRUE(close(loss.value(), g.get(name + "/loss"), tolerance));
      tape.backward(loss);
      EXPECT_TRUE(close(student.grad(), g.get(name + "/dstudent_logits"), tolerance));
    }
}

TEST(Consistency, GradcheckOfEveryForm) {
  const Tensor teacher = ops::softmax(Variable(tests::random_tensor({1, 1, 3, 2, 3}, 1))).value();
  for (Consistency form : {Consistency::soft_ce, Consistency::sharpened_ce, Consistency::ce_argmax,
                           Consistency::dice_ce_argmax, Consistency::mse}) {
    const auto result =
        autograd::gradcheck([&](const std::vector<Variable>& in) { return consistency_loss(in[0], teacher, form); },
                            {tests::random_tensor({1, 1, 3, 2, 3}, 2)});
    EXPECT_TRUE(result.passed) << names(form)[std::size_t(form)] << ": " << result.text();
  }
}

TEST(Consistency, ByHand) {
  // student and teacher undecided between two classes: soft CE is ln 2, MSE is 0; the first of equals is the argmax
  const Variable z(Tensor::zeros({1, 1, 1, 1, 2}, Dtype::f64));
  const Tensor half = Tensor::full({1, 1, 1, 1, 2}, 0.5, Dtype::f64);
  EXPECT_NEAR(consistency_loss(z, half, Consistency::soft_ce).value().item(), std::log(2.0), 1e-15);
  EXPECT_EQ(consistency_loss(z, half, Consistency::mse).value().item(), 0);
  EXPECT_EQ(ops::most_likely(half).item(), 0);
  const std::vector<double> sharp = sharpened(Tensor::of({2}, std::vector<double>{0.6, 0.4})).to_doubles();
  EXPECT_NEAR(sharp[0], 0.36 / 0.52, 1e-15);
}

TEST(Consistency, UncertainVoxelsAreLeftOut) {
  const Tensor teacher = Tensor::of({1, 1, 1, 2, 2}, std::vector<double>{0.95, 0.05, 0.4, 0.6});
  EXPECT_EQ(ops::most_likely(teacher, 0.9).to_doubles(), (std::vector<double>{0, -1}));
  const Variable z(Tensor::of({1, 1, 1, 2, 2}, std::vector<double>{1, -1, 3, -2}));
  const Variable first(Tensor::of({1, 1, 1, 1, 2}, std::vector<double>{1, -1}));
  const Tensor certain = Tensor::of({1, 1, 1, 1, 2}, std::vector<double>{1, 0});
  for (Consistency form : {Consistency::ce_argmax, Consistency::dice_ce_argmax})
    EXPECT_DOUBLE_EQ(consistency_loss(z, teacher, form, 0.9).value().item(),
                     consistency_loss(first, certain, form).value().item());
}

TEST(Objective, WeightsRiseAfterTheWarmUp) {
  RunSettings settings;
  settings.train.steps = 1000, settings.method.warm_up_share = 0.25, settings.method.ramp_share = 0.2;
  const Phases phases(with_warm_up(settings, nullptr, {.name = "method"}), settings);
  EXPECT_EQ(phases.ramp(249), 0);
  EXPECT_NEAR(phases.ramp(250), std::exp(-5.0), 1e-15);
  EXPECT_EQ(phases.ramp(400), 1);  // 250 + 0.2 * 750
}

TEST(Objective, LeavesOutTermsOfWeightZero) {
  const auto scalar = [](const engine::Shape& shape, double value) {
    return Variable(Tensor::full(shape, value, Dtype::f64));
  };
  EXPECT_EQ(total_loss({{"sup", scalar({}, 2), 1}, {"pl", scalar({1}, 3), 0.5}, {"rw", scalar({}, NAN), 0}}).value().item(),
            3.5);
  const Tensor ramp = Tensor::full({1}, 0.5, Dtype::f64);
  EXPECT_EQ(total_loss({{"sup", scalar({}, 2), 1}, {"pl", scalar({1}, 3), 2, ramp}}).value().item(), 5);
  EXPECT_THROW(total_loss({}), engine::UsageError);
  EXPECT_THROW(total_loss({{"sup", scalar({2}, 1), 1}}), engine::ShapeError);
}

TEST(Objective, GoldenEq8) {
  const Golden g("agcl_total");
  for (const std::string name : {"eq8_2d_c4", "eq8_3d_c2"})
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name + (dtype == Dtype::f64 ? " f64" : " f32"));
      const bool exact = dtype == Dtype::f64;
      const auto get = [&](const char* what) { return g.get(name + "/" + what, dtype); };
      Variable labelled = Variable::parameter(get("labelled_logits")), student = Variable::parameter(get("student_logits")),
               z = Variable::parameter(get("z"));
      const Tensor teacher = ops::softmax(Variable(get("teacher_logits"))).value(), queue = get("queue");
      const auto patch = g.integers(name + "/attr.patch"), pair = g.integers(name + "/pair");
      const std::vector<double> affinities = g.get(name + "/queue_affinity").to_doubles();
      Method m;
      for (int a = 0; a < 3; ++a) m.patch_grid[a] = teacher.shape()[a + 1] / patch[std::size_t(a)];
      const std::int64_t B = z.shape()[0], H = std::int64_t(pair.size()) / B / 2, dim = z.shape()[1];
      std::vector<std::int32_t> first, second;
      std::vector<double> weight;
      for (std::size_t i = 0; i < pair.size(); i += 2) {
        first.push_back(std::int32_t(pair[i])), second.push_back(std::int32_t(pair[i + 1]));
        weight.push_back(affinities[std::size_t(pair[i])]);
      }
      const auto take = [&](const std::vector<std::int32_t>& rows) {
        return ops::gather(Variable(queue), Tensor::of({std::int64_t(rows.size())}, rows)).value();
      };
      const Contrast contrast{.keys = get("k"),
                              .weights = tests::itself(B, dtype),
                              .own = tests::mixed(take(first), take(second), weight).reshape({B, H, dim}),
                              .tau = g.number(name + "/attr.tau")};

      Tape tape;
      const std::vector<double> w = g.get(name + "/attr.weights_reg_pl_rw").to_doubles();
      const std::vector<Term> terms = {{"sup", supervised_loss(labelled, g.get(name + "/label")), 1},
                                       {"reg", consistency_loss(student, teacher, Consistency::soft_ce), w[0]},
                                       {"pl", affinity_loss(affinity_graph(teacher, ops::softmax(student), m).a, m), w[1]},
                                       {"rw", ops::mean(contrastive_losses(ops::l2_normalise(z), contrast)), w[2]}};
      for (const Term& term : terms)
        EXPECT_NEAR(term.value.value().item(), g.number(name + "/L_" + term.name), exact ? 1e-12 : 3e-6) << term.name;
      const Variable all = total_loss(terms);
      EXPECT_NEAR(all.value().item(), g.number(name + "/L_all"), exact ? 5e-12 : 6e-6);
      tape.backward(all);
      EXPECT_TRUE(close(labelled.grad(), g.get(name + "/dlabelled_logits"), exact ? 1e-12 : 1e-4));
      EXPECT_TRUE(close(student.grad(), g.get(name + "/dstudent_logits"), exact ? 1e-11 : 1e-4));
      EXPECT_TRUE(close(z.grad(), g.get(name + "/dz"), exact ? 1e-12 : 1e-4));
    }
}

namespace {
/// One parameter and one buffer.
struct Tiny final : layers::Module {
  const char* name;
  Variable w;
  Tensor statistics;
  explicit Tiny(const Tensor& value, const char* parameter = "w")
      : name(parameter), w(Variable::parameter(value.clone())), statistics(value.clone()) {}
  void describe(layers::Parts& parts) override { parts.parameter(name, w), parts.buffer("statistics", statistics); }
};

Tensor number(double value) { return Tensor::full({1}, value, Dtype::f64); }
Tensor both(double value) { return Tensor::full({2}, value, Dtype::f64); }
}  // namespace

TEST(Teacher, GoldenMovingAverage) {
  const Golden g("agcl_schedule");
  for (const std::string name : {"ema_start", "ema_crossing", "ema_late_0.99"})
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name);
      const std::vector<double> students = g.get(name + "/students").to_doubles(),
                                alpha = g.get(name + "/alpha").to_doubles(), want = g.get(name + "/teacher").to_doubles();
      Tiny teacher(g.get(name + "/teacher0", dtype)), student(teacher.w.value());
      const std::size_t n = std::size_t(teacher.w.value().size());
      for (std::size_t t = 0; t < 3; ++t) {
        const double a =
            ema_alpha(std::int64_t(g.number(name + "/attr.step0")) + std::int64_t(t), g.number(name + "/attr.decay"));
        EXPECT_NEAR(a, alpha[t], 1e-15);
        student.w.value_for_update().copy_from(
            Tensor::of(student.w.shape(), std::vector<double>(students.begin() + std::ptrdiff_t(t * n),
                                                              students.begin() + std::ptrdiff_t((t + 1) * n)))
                .to(dtype));
        update_teacher(teacher, student, number(a));
        const std::vector<double> got = teacher.w.value().to_doubles();
        for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(got[i], want[t * n + i], dtype == Dtype::f64 ? 1e-13 : 2e-6);
      }
    }
  Tiny a(Tensor::zeros({2})), b(Tensor::zeros({3})), c(Tensor::zeros({2}), "v");
  EXPECT_THROW(update_teacher(a, b, number(0.5)), engine::UsageError);
  EXPECT_THROW(update_teacher(a, c, number(0.5)), engine::UsageError);
}

TEST(Teacher, BufferPolicies) {
  Tiny student(both(1));
  for (const auto& [policy, want] : {std::pair{Buffers::own, 0.0}, {Buffers::copied, 1.0}, {Buffers::averaged, 0.25}}) {
    Tiny teacher(both(0));
    update_teacher(teacher, student, number(ema_alpha(1000, 0.75)), {}, policy);
    EXPECT_EQ(teacher.w.value().to_doubles(), (std::vector<double>{0.25, 0.25}));
    EXPECT_EQ(teacher.statistics.to_doubles(), (std::vector<double>{want, want}));
    EXPECT_EQ(student.statistics.to_doubles(), (std::vector<double>{1, 1}));
  }
  Tiny teacher(both(0));
  update_teacher(teacher, student, number(ema_alpha(0, 0.999)));  // the first step copies the student
  EXPECT_EQ(teacher.w.value().to_doubles(), (std::vector<double>{1, 1}));
  Tiny closed(both(0));
  update_teacher(closed, student, number(0.5), number(0), Buffers::averaged);  // the loss was not finite
  EXPECT_EQ(closed.w.value().to_doubles(), (std::vector<double>{0, 0}));
  EXPECT_EQ(closed.statistics.to_doubles(), (std::vector<double>{0, 0}));
}
