#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "autograd/gradcheck.h"
#include "layers/segmenter.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/selection.h"
#include "ops/softmax.h"
#include "semiagcl/baselines/parts/virtual_adversary.h"
#include "tests/support/by_hand.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using engine::Dtype;

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
    const auto result = autograd::gradcheck([&](const Variables& in) { return answer_distance(in[0], q, flat); },
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

}  // namespace
}  // namespace sagcl::tests
