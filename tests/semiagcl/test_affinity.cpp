#include "semiagcl/affinity.h"

#include <cmath>

#include "autograd/gradcheck.h"
#include "ops/arithmetic.h"
#include "ops/nuclear_norm.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "semiagcl/affinity_loss.h"
#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using autograd::Tape;
using engine::Dtype;
using engine::Tensor;
using tests::close;
using tests::Golden;

namespace {

/// One golden case as the functions of this floor take it.
struct Case {
  Extents grid;
  ops::Metric metric;
  PatchVector vector;
  double power, sigma2;
  bool joint = false;
  Tensor teacher, student;

  Case(const Golden& g, const std::string& name, Dtype dtype) {
    teacher = g.get(name + "/teacher_logits", dtype), student = g.get(name + "/student_logits", dtype);
    const auto patch = g.integers(name + "/attr.patch");
    for (int a = 0; a < 3; ++a) grid[a] = teacher.shape()[a + 1] / patch[std::size_t(a)];
    metric = g.number(name + "/attr.kernel") == 1 ? ops::Metric::l1 : ops::Metric::squared_l2;
    vector = g.number(name + "/attr.patch_mean") != 0 ? PatchVector::mean : PatchVector::flat;
    power = g.number(name + "/attr.voxel_power"), sigma2 = g.number(name + "/attr.sigma2");
    if (g.has(name + "/attr.joint")) joint = g.number(name + "/attr.joint") != 0;
  }

  AffinityGraph graph(const Variable& student_logits) const {
    Variable t = patch_vectors(Variable(ops::softmax(Variable(teacher)).value()), grid, vector, power);
    Variable s = patch_vectors(ops::softmax(student_logits), grid, vector, power);
    if (joint) t = join_graphs(t), s = join_graphs(s);
    const Tensor bandwidth2 =
        sigma2 == 0 ? median_bandwidth2(t.value(), metric) : Tensor::full({t.shape()[0]}, sigma2, teacher.dtype());
    return {affinity(t.value(), s, metric, bandwidth2), bandwidth2};
  }
};

Method method(double c_nuc, double c_tr = 1, Sign sign = Sign::resolved) {
  Method m;
  m.c_nuc = c_nuc, m.c_tr = c_tr, m.sign = sign;
  return m;
}

/// A random Gaussian graph between vectors that differ: a teacher and a student of 6 nodes in 3 dimensions.
Tensor vectors(std::uint64_t seed) { return tests::random_tensor({2, 6, 3}, seed, Dtype::f64, 0.6); }

}  // namespace

TEST(Affinity, GoldenGraphsEq2) {
  const Golden g("agcl_affinity");
  int cases = 0;
  for (const std::string& name : g.cases()) {
    if (!g.has(name + "/teacher_logits")) continue;
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name + (dtype == Dtype::f64 ? " f64" : " f32"));
      const double tolerance = dtype == Dtype::f64 ? 1e-13 : 1e-5;
      const Case c(g, name, dtype);
      const AffinityGraph graph = c.graph(Variable(c.student));
      EXPECT_TRUE(close(graph.sigma2, g.get(name + "/sigma2"), tolerance));
      EXPECT_TRUE(close(graph.a.value(), g.get(name + "/A"), tolerance));
      EXPECT_TRUE(close(ops::trace(graph.a).value(), g.get(name + "/trace"), tolerance));
      EXPECT_TRUE(close(ops::singular_values(graph.a.value()), g.get(name + "/singular_values"), tolerance));
      if (g.has(name + "/teacher_vectors")) {
        const Variable p(ops::softmax(Variable(c.teacher)).value());
        EXPECT_TRUE(close(patch_vectors(p, c.grid, c.vector, c.power).value(), g.get(name + "/teacher_vectors"), tolerance));
      }
      for (double v : graph.a.value().to_doubles()) EXPECT_TRUE(v > 0 && v <= 1) << v;  // A_ij in (0,1]
    }
    ++cases;
  }
  EXPECT_EQ(cases, 11);
}

TEST(AffinityLoss, GoldenValuesAndGradientsEq3) {
  const Golden g("agcl_loss");
  int cases = 0;
  for (const std::string& name : g.cases()) {
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name + (dtype == Dtype::f64 ? " f64" : " f32"));
      const bool exact = dtype == Dtype::f64;
      const Case c(g, name, dtype);
      Method m = method(-g.number(name + "/attr.gamma"), 1,
                        g.number(name + "/attr.printed_sign") != 0 ? Sign::printed : Sign::resolved);
      m.drop = g.number(name + "/attr.drop");
      Variable student = Variable::parameter(c.student);
      Tape tape;
      const AffinityGraph graph = c.graph(student);
      const Variable per_graph = affinity_losses(graph.a, m), loss = affinity_loss(graph.a, m);
      EXPECT_TRUE(close(graph.a.value(), g.get(name + "/A"), exact ? 1e-13 : 1e-5));
      const std::vector<double> want = g.get(name + "/loss_per_graph").to_doubles(), got = per_graph.value().to_doubles();
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], exact ? 1e-13 : 5e-6);
      EXPECT_NEAR(loss.value().item(), g.number(name + "/loss"), exact ? 1e-13 : 5e-6);
      tape.backward(loss);
      // single precision cannot tell a singular value of 1e-9 from rounding: those cases are for f64
      const bool degenerate =
          name.ends_with("duplicates") || name.ends_with("small_singular") || name.ends_with("constant_student");
      if (name.ends_with("equal")) {  // agreement: the gradient is 0, the reference holds its rounding
        for (double v : student.grad().to_doubles()) EXPECT_NEAR(v, 0, exact ? 1e-15 : 1e-7);
      } else if (exact || !degenerate) {
        EXPECT_TRUE(close(student.grad(), g.get(name + "/dstudent_logits"), exact ? 1e-11 : 2e-4));
      }
    }
    ++cases;
  }
  EXPECT_EQ(cases, 19);
}

TEST(AffinityLoss, WorkedExample) {
  const Golden g("agcl_affinity");
  for (const auto& [name, sigma2] : {std::pair{"printed_example_sigma1", 1.0}, {"printed_example_sigma0.25", 0.0625}})
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name);
      const Tensor teacher = g.get(std::string(name) + "/teacher_vectors", dtype);
      Variable student = Variable::parameter(g.get(std::string(name) + "/student_vectors", dtype));
      Tape tape;
      const Variable a = affinity(teacher, student, ops::Metric::squared_l2, Tensor::full({1}, sigma2, dtype));
      const Variable loss = ops::scale(affinity_loss(a, method(1)), 3);  // not divided by N
      EXPECT_TRUE(close(a.value(), g.get(std::string(name) + "/A"), dtype == Dtype::f64 ? 1e-13 : 1e-5));
      EXPECT_NEAR(loss.value().item(), g.number(std::string(name) + "/loss_times_n"), dtype == Dtype::f64 ? 1e-13 : 1e-6);
      tape.backward(loss);
      if (dtype == Dtype::f64) { EXPECT_TRUE(close(student.grad(), g.get(std::string(name) + "/dstudent_vectors"), 1e-11)); }
      if (dtype == Dtype::f64 && sigma2 == 1) {  // the numbers to verify by hand
        EXPECT_NEAR(ops::trace(a).value().item(), 2.94088911, 5e-9);
        EXPECT_NEAR(ops::nuclear_norm(a).value().item(), 2.94696967, 5e-9);
        EXPECT_NEAR(loss.value().item(), 0.00608056, 5e-9);
        EXPECT_NEAR(student.grad().to_doubles()[5], 0.05444137, 5e-9);
      }
    }
}

TEST(AffinityLoss, NeverNegativeAndZeroAtAgreement) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Tensor t = vectors(seed), s = vectors(100 + seed), sigma2 = Tensor::full({2}, 0.3, Dtype::f64);
    for (double loss :
         affinity_losses(affinity(t, Variable(s), ops::Metric::squared_l2, sigma2), method(1)).value().to_doubles())
      EXPECT_GE(loss, -1e-14);
    const Variable same = affinity(t, Variable(t), ops::Metric::squared_l2, sigma2);
    for (double loss : affinity_losses(same, method(1)).value().to_doubles()) EXPECT_NEAR(loss, 0, 1e-14);
    for (double a : diagonal(same.value()).to_doubles()) EXPECT_EQ(a, 1);
  }
}

TEST(AffinityLoss, WithoutNuclearTermIsTheTrace) {
  const Variable a = affinity(vectors(1), Variable(vectors(2)), ops::Metric::squared_l2, Tensor::full({2}, 0.3, Dtype::f64));
  EXPECT_TRUE(close(affinity_losses(a, method(0)).value(), ops::scale(ops::trace(a), -1.0 / 6).value(), 1e-15));
}

TEST(AffinityLoss, EqualWeightsDoNotAskForAgreementButUnequalOnesDo) {
  // A = 0.1 I: 0 for the paper's weights, far from the minimum c_nuc − c_tr = −.5 of the stable preset's
  std::vector<double> tenth(9, 0.0);
  tenth[0] = tenth[4] = tenth[8] = 0.1;
  const Variable a(Tensor::of({1, 3, 3}, tenth));
  EXPECT_NEAR(affinity_loss(a, paper()).value().item(), 0, 1e-16);
  EXPECT_NEAR(affinity_loss(a, stable()).value().item(), -0.05, 1e-16);
}

TEST(AffinityLoss, PolarIterationGivesTheSameValueAndGradient) {
  const Tensor t = vectors(5), sigma2 = Tensor::full({2}, 0.2, Dtype::f64);
  Tensor value[2], gradient[2];
  for (int polar = 0; polar < 2; ++polar) {
    Method m = paper();
    m.polar = polar == 1;
    Variable student = Variable::parameter(vectors(6));
    Tape tape;
    const Variable loss = affinity_loss(affinity(t, student, ops::Metric::squared_l2, sigma2), m);
    tape.backward(loss);
    value[polar] = loss.value(), gradient[polar] = student.grad();
  }
  EXPECT_TRUE(close(value[1], value[0], 1e-10));
  EXPECT_TRUE(close(gradient[1], gradient[0], 1e-9));
}

TEST(AffinityLoss, Gradcheck) {
  for (ops::Metric metric : {ops::Metric::squared_l2, ops::Metric::l1})
    for (const Method& m : {paper(), stable(), method(0), method(1, 1, Sign::printed)}) {
      const Tensor t = vectors(3), sigma2 = Tensor::full({2}, 0.4, Dtype::f64);
      const auto f = [&](const std::vector<Variable>& in) { return affinity_loss(affinity(t, in[0], metric, sigma2), m); };
      const auto result = autograd::gradcheck(f, {vectors(4)});
      EXPECT_TRUE(result.passed) << result.text();
    }
}

TEST(AffinityLoss, GradcheckFromLogits) {
  const Tensor teacher = ops::softmax(Variable(tests::random_tensor({2, 1, 4, 4, 3}, 7))).value();
  for (PatchVector vector : {PatchVector::flat, PatchVector::mean})
    for (GraphOver over : {GraphOver::image, GraphOver::batch}) {
      Method m = stable();
      m.patch_grid = {{1, 2, 2}}, m.patch_vector = vector, m.graph = over;
      const auto f = [&](const std::vector<Variable>& in) {
        return affinity_loss(affinity_graph(teacher, ops::softmax(in[0]), m).a, m);
      };
      const auto result = autograd::gradcheck(f, {tests::random_tensor({2, 1, 4, 4, 3}, 8)});
      EXPECT_TRUE(result.passed) << result.text();
    }
}

TEST(Affinity, SettingsChooseTheGraph) {
  const Tensor p = ops::softmax(Variable(tests::random_tensor({2, 1, 4, 4, 3}, 9))).value();
  Method m;
  m.patch_grid = {{1, 2, 2}};
  EXPECT_EQ(affinity_graph(p, Variable(p), m).a.shape(), (engine::Shape{2, 4, 4}));
  m.graph = GraphOver::batch;
  EXPECT_EQ(affinity_graph(p, Variable(p), m).a.shape(), (engine::Shape{1, 8, 8}));
  m.bandwidth = Bandwidth::fixed, m.bandwidth_fixed = 0.5;
  EXPECT_EQ(affinity_graph(p, Variable(p), m).sigma2.item(), 0.25);
  m.patch_grid = {{1, 1, 1}}, m.graph = GraphOver::image,
  m.bandwidth = Bandwidth::adaptive;  // one patch: no pair to take a median of
  EXPECT_EQ(affinity_graph(p, Variable(p), m).sigma2.to_doubles(), (std::vector<double>{1, 1}));
  EXPECT_EQ(diagonal(affinity_graph(p, Variable(p), m).a.value()).to_doubles(), (std::vector<double>{1, 1}));
}

TEST(Affinity, GoldenSingularValueThresholding) {
  const Golden g("agcl_svt");
  for (const std::string& name : g.cases())
    for (Dtype dtype : {Dtype::f64, Dtype::f32}) {
      SCOPED_TRACE(name);
      const double tolerance = dtype == Dtype::f64 ? 1e-13 : 1e-5;
      const Tensor a = g.get(name + "/A", dtype), one = a.reshape({1, a.shape()[0], a.shape()[1]});
      EXPECT_TRUE(close(ops::singular_values(one), g.get(name + "/singular_values"), tolerance));
      const std::vector<double> taus = g.get(name + "/tau").to_doubles(), want = g.get(name + "/y").to_doubles();
      for (std::size_t t = 0; t < taus.size(); ++t) {
        const std::vector<double> got = ops::singular_value_threshold(one, taus[t]).to_doubles();
        for (std::size_t i = 0; i < got.size(); ++i)
          EXPECT_NEAR(got[i], want[t * got.size() + i], tolerance * 3) << "tau " << taus[t];
      }
    }
}
