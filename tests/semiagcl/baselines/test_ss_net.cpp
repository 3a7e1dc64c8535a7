#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "layers/segmenter.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/class_separation.h"
#include "semiagcl/baselines/virtual_adversary.h"
#include "tests/semiagcl/small_training.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using engine::Dtype;
using Doubles = std::vector<double>;

// --- class separation -----------------------------------------------------------------------------------------------------

TEST(ClassSeparation, DistancesByHand) {
  const Variable f(Tensor::of({3, 2}, Doubles{1, 0, 0, 1, 0.6, 0.8}));
  const Variable w(Tensor::of({3, 3}, Doubles{1, 0, 0, 0.5, 0, 0, 0, 2, 0}));
  const Variable m(Tensor::of({3, 2, 2}, Doubles{1, 0, 0, 1, 0.6, 0.8, 1, 0, 1, 0, 0, 1}));
  const Variable v(Tensor::of({3, 2}, Doubles{1, 3, 1, 0, 1, 1}));
  const Doubles d = class_distances(f, w, m, v).value().to_doubles();
  EXPECT_NEAR(d[0], (1 * 3 * 1 + 0.5 * 1 * 1) / (1.5 * 4), 1e-12);  // pairs (1, 2) and (2, 1) are at distance 1
  EXPECT_NEAR(d[1], 0, 1e-12);                                      // the same vector
  EXPECT_NEAR(d[2], 1, 1e-12);                                      // no voxel
}

TEST(ClassSeparation, Gradcheck) {
  const auto result = autograd::gradcheck(
      [](const std::vector<Variable>& in) { return class_distances(in[0], ops::square(in[1]), in[2], ops::square(in[3])); },
      {random_tensor({7, 3}, 1), random_tensor({7, 2}, 2), random_tensor({2, 4, 3}, 3), random_tensor({2, 4}, 4)});
  EXPECT_TRUE(result.passed) << result.text();
}

/// Two channels, three classes; weights and features from a formula that another program can follow.
struct Heads {
  static constexpr std::int64_t rows = 120;
  engine::Generator random{1, "heads"};
  SeparationHeads heads{2, 3, random};
  Tensor features = Tensor::zeros({rows, 2}, Dtype::f64);
  Tensor labels = Tensor::zeros({rows}, Dtype::i32), predicted = Tensor::zeros({rows}, Dtype::i32);

  Heads() {
    layers::convert_to(heads, Dtype::f64);
    double number = 0;
    for (const auto& [name, p] : layers::parameters_in_order(heads)) {
      double* value = p->value_for_update().data<double>();
      for (std::int64_t j = 0; j < p->value().size(); ++j) value[j] = 0.5 * std::sin(1 + number + 0.7 * double(j));
      ++number;
    }
    for (std::int64_t i = 0; i < features.size(); ++i) features.data<double>()[i] = std::cos(0.37 * double(i));
    for (std::int32_t i = 0; i < rows; ++i) {
      labels.data<std::int32_t>()[i] = i % 3;
      predicted.data<std::int32_t>()[i] = i % 7 == 0 ? 0 : i % 3;
    }
  }
  double loss(const ClassMemory& memory) { return heads.loss(Variable(features), labels, memory).value().item(); }
};

// The numbers are those of a program in numpy that takes the voxels of each class apart and has all pairs in a matrix.
TEST(ClassSeparation, LossOfAllPairs) {
  Heads h;
  const ClassMemory memory = h.heads.remember(h.features, h.labels, h.predicted);
  ASSERT_EQ(memory.features.shape(), (engine::Shape{2, 32, 32}));
  const Doubles rows = memory.features.to_doubles();
  EXPECT_NEAR(rows[0], 0.13297907, 1e-8);
  EXPECT_NEAR(rows[1], -0.03597526, 1e-8);
  EXPECT_NEAR(rows[63 * 32 + 2], -0.05890447, 1e-8);
  for (double counted : memory.counted.to_doubles()) EXPECT_EQ(counted, 1);  // 34 of each class are correct
  EXPECT_NEAR(h.loss(memory), 0.051206527438612724, 1e-11);

  for (std::int64_t i = 5; i < Heads::rows; i += 3) h.labels.data<std::int32_t>()[i] = 0;
  EXPECT_NEAR(h.loss(memory), 0.026964874680976313, 1e-11);  // one voxel of the second class is none
}

TEST(ClassSeparation, AClassWithoutMemoryCountsNothing) {
  Heads h;
  const ClassMemory none = h.heads.remember(h.features, h.labels, Tensor::zeros({Heads::rows}, Dtype::i32));
  EXPECT_EQ(none.counted.to_doubles(), Doubles(64, 0));
  EXPECT_EQ(h.loss(none), 0);
  Variable x = Variable::parameter(h.features);
  autograd::Tape tape;
  tape.backward(h.heads.loss(x, h.labels, none));
  EXPECT_EQ(x.grad().to_doubles(), Doubles(240, 0));
}

// Both networks as released, whose counts are with the two selectors of the background: 2,306.
TEST(ClassSeparation, Parameters) {
  engine::Generator random(1, "networks");
  auto vnet = layers::make_segmenter("vnet", {.classes = 2}, random),
       unet = layers::make_segmenter("unet", {.classes = 4}, random);
  SeparationHeads two(16, 2, random), four(16, 4, random);
  EXPECT_EQ(layers::count_parameters(*vnet) + layers::count_parameters(two) + 2306, 9'457'318);
  EXPECT_EQ(layers::count_parameters(*unet) + layers::count_parameters(four) + 2306, 1'826'828);
}

// --- smoothness -----------------------------------------------------------------------------------------------------------

TEST(VirtualAdversary, DistancesByHand) {
  const Variable z(Tensor::of({1, 1, 1, 2, 2}, Doubles{0, 0, std::log(3), 0}));  // (1/2, 1/2), (3/4, 1/4)
  const Tensor q = Tensor::of({1, 1, 1, 2, 2}, Doubles{1, 0, 0.5, 0.5});
  EXPECT_NEAR(answer_distance(z, q, false).value().item(), 1 - 2 * (0.5 + 0.5) / (2 + 2), 1e-8);
  const double first = 1 - 2 * (0.5 + 0.375) / (0.25 + 0.5625 + 1.25), second = 1 - 2 * 0.125 / (0.25 + 0.0625 + 0.25);
  EXPECT_NEAR(answer_distance(z, q, true).value().item(), (first + second) / 2, 1e-9);
}

TEST(VirtualAdversary, Gradcheck) {
  const Tensor q = ops::softmax(Variable(random_tensor({2, 1, 2, 3, 3}, 1))).value();
  for (const bool flat : {false, true}) {
    const auto result = autograd::gradcheck([&](const std::vector<Variable>& in) { return answer_distance(in[0], q, flat); },
                                            {random_tensor(q.shape(), 2)});
    EXPECT_TRUE(result.passed) << result.text();
  }
}

TEST(VirtualAdversary, UnitSamples) {
  EXPECT_EQ(unit_samples(Tensor::of({2, 1, 1, 2, 1}, Doubles{3, 4, 0, -2})).to_doubles(), (Doubles{0.6, 0.8, 0, -1}));
}

/// Scores (0, a x) of each voxel.
class Slope final : public layers::Segmenter {
 public:
  Variable a = Variable::parameter(Tensor::of({2, 1}, Doubles{0, 0.3}));

  layers::Segmentation forward(const Variable& x, const layers::Pass&) override {
    const std::int64_t voxels = x.value().size();
    const Variable scores = ops::linear(ops::reshape(x, {voxels, 1}), a, {});
    return {ops::reshape(scores, x.shape().with(4, 2)), {}};
  }
  Variable encode(const Variable& x, const layers::Pass&) override { return x; }
  void describe(layers::Parts& parts) override { parts.parameter("a", a); }
  std::int64_t bottleneck_channels() const override { return 1; }
  bool flat() const override { return false; }
};

double probability(double score) { return 1 / (1 + std::exp(-score)); }

// In volumes only Σ p q moves, so d_v ∝ (q_0 − q_1) a p_1 p_0 at x + 10 d.
TEST(VirtualAdversary, GoesWhereTheAnswerChangesMost) {
  Slope network;
  const Doubles x{1, -2, 0.5}, q{0.9, 0.4, 0.8};  // of the second class
  const Tensor image = Tensor::of({1, 1, 1, 3, 1}, x);
  const Tensor target = Tensor::of({1, 1, 1, 3, 2}, Doubles{0.1, 0.9, 0.6, 0.4, 0.2, 0.8});
  const engine::Generator random(7, "direction");
  engine::Generator copy = random;
  const Doubles start = ops::uniform_like(image, copy.next_key(), -0.5, 0.5).to_doubles();

  Doubles d(3);
  const double length = std::hypot(start[0], start[1], start[2]);
  for (std::size_t i = 0; i < 3; ++i) {
    const double p = probability(0.3 * (x[i] + 10 * start[i] / length));
    d[i] = (1 - 2 * q[i]) * p * (1 - p);
  }
  const double norm = std::hypot(d[0], d[1], d[2]);
  const auto loss = [&](double a) {
    double overlap = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const double p = probability(a * (x[i] + 2 * d[i] / norm));
      overlap += p * q[i] + (1 - p) * (1 - q[i]);
    }
    return 1 - (2 * overlap + 1e-8) / (6 + 1e-8);
  };

  autograd::Tape tape;  // of the step; the power step has one beside it
  const Variable before = ops::square(network.a);
  const Variable found = virtual_adversarial_loss(network, image, target, 2, random);
  EXPECT_NEAR(found.value().item(), loss(0.3), 1e-12);
  EXPECT_EQ(autograd::Tape::active(), &tape);
  tape.backward(found);
  EXPECT_NEAR(network.a.grad().to_doubles()[1], (loss(0.3 + 1e-5) - loss(0.3 - 1e-5)) / 2e-5, 1e-9);  // d is a constant
}

TEST(VirtualAdversary, LeavesRunningStatisticsAlone) {
  engine::Generator random(1, "network");
  auto network = layers::make_segmenter("unet", {.classes = 3, .width = 2}, random);
  const Tensor x = random_tensor({2, 1, 32, 32, 1}, 1, Dtype::f32);
  const Tensor target = ops::softmax(Variable(random_tensor({2, 1, 32, 32, 3}, 2, Dtype::f32))).value();
  std::map<std::string, Doubles> before;
  for (const auto& [name, buffer] : layers::buffers_of(*network)) before[name] = buffer->to_doubles();
  autograd::Tape tape;
  tape.backward(virtual_adversarial_loss(*network, x, target, 6, engine::Generator(3, "direction")));
  for (const auto& [name, buffer] : layers::buffers_of(*network)) EXPECT_EQ(buffer->to_doubles(), before.at(name)) << name;
  for (const auto& [name, p] : layers::parameters_of(*network)) EXPECT_TRUE(p->has_grad()) << name;
}

TEST(SsNet, AddsBothTermsAfterTheWarmUp) {
  for (const bool flat : {false, true}) {
    const RunSettings s = small_settings("ss-net", flat);
    const TrainingData data = small_data(flat);
    Trainer trainer(s, data, {});
    while (!trainer.finished()) trainer.advance();
    for (const StepReport& r : trainer.reports())
      for (const char* term : {"smooth", "separate"}) EXPECT_EQ(r.values.terms.count(term), r.step > 2) << r.step << term;
  }
}

}  // namespace
}  // namespace sagcl::tests
