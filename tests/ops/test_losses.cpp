#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "engine/parallel.h"
#include "ops/arithmetic.h"
#include "ops/cpu/kernels.h"
#include "ops/cross_entropy.h"
#include "ops/dice.h"
#include "ops/kernels/exponential.h"
#include "ops/layout.h"
#include "ops/softmax.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Tape;
using autograd::Variable;
using engine::Dtype;

struct LossType {
  Dtype dtype;
  double tolerance;
};
const LossType loss_types[] = {{Dtype::f64, 1e-12}, {Dtype::f32, 1e-5}};

Tensor labels_of(const engine::Shape& shape, const std::vector<std::int32_t>& values) { return Tensor::of(shape, values); }

/// Labels as the golden files keep them, with their ignored value turned into -1.
Tensor golden_labels(const Golden& golden, const std::string& name) {
  const Tensor stored = golden.get(name + "/label");
  const bool ignores = golden.has(name + "/attr.ignore");
  std::vector<std::int32_t> labels;
  for (double v : stored.to_doubles())
    labels.push_back(ignores && v == golden.number(name + "/attr.ignore") ? -1 : std::int32_t(v));
  return Tensor::of(stored.shape(), labels);
}

TEST(CrossEntropy, ByHand) {  // scores (0, 0): ln 2; scores (ln 3, 0) with label 0: p = 3/4
  Variable z = Variable::parameter(Tensor::of<double>({3, 2}, {0, 0, std::log(3.0), 0, 5, 7}));
  Tape tape;
  const Variable loss = ops::cross_entropy(z, labels_of({3}, {1, 0, -1}));
  EXPECT_NEAR(loss.value().item(), (std::log(2.0) + std::log(4.0 / 3)) / 2, 1e-15);
  tape.backward(loss);
  EXPECT_TRUE(close(z.grad(), Tensor::of<double>({3, 2}, {0.25, -0.25, -0.125, 0.125, 0, 0}), 1e-15));
}

TEST(CrossEntropy, NothingCountedIsZero) {
  Variable z = Variable::parameter(random_tensor({4, 3}, 1));
  Tape tape;
  const Variable loss = ops::cross_entropy(z, labels_of({4}, {-1, -1, -1, -1}));
  EXPECT_EQ(loss.value().item(), 0);
  tape.backward(loss);
  EXPECT_TRUE(identical(z.grad(), Tensor::zeros({4, 3}, Dtype::f64)));
}

TEST(SoftCrossEntropy, OneHotTargetsAreLabels) {
  const Variable z(random_tensor({6, 3}, 1));
  const Tensor one_hot = Tensor::of<double>({6, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 1});
  EXPECT_TRUE(close(ops::soft_cross_entropy(z, one_hot).value(),
                    ops::cross_entropy(z, labels_of({6}, {0, 1, 2, 1, 0, 2})).value(), 1e-15));
}

TEST(DiceLoss, ByHand) {  // one channel, p = (1, 0.5), y = (1, 0): Σpy = 1, Σp² = 1.25, Σy² = 1
  const Variable p(Tensor::of<double>({2, 1}, {1, 0.5}));
  const Tensor y = Tensor::of<double>({2, 1}, {1, 0});
  EXPECT_NEAR(ops::dice_loss_soft(p, y, {.squared = true, .smooth = 0}).value().item(), 1 - 2 / 2.25, 1e-15);
  EXPECT_NEAR(ops::dice_loss_soft(p, y, {.squared = false, .smooth = 0}).value().item(), 1 - 2 / 2.5, 1e-15);
  EXPECT_NEAR(ops::dice_loss_soft(p, y, {.squared = true, .smooth = 1}).value().item(), 1 - 3 / 3.25, 1e-15);
}

TEST(DiceLoss, PerfectPredictionIsZeroToTheLastBit) {
  const Variable p(Tensor::of<float>({3, 2}, {1, 0, 0, 1, 0, 1}));
  EXPECT_EQ(ops::dice_loss(p, labels_of({3}, {0, 1, 1})).value().item(), 0);
}

TEST(DiceLoss, IgnoredVoxelsDoNotCount) {
  const Variable p(Tensor::of<double>({3, 2}, {.3, .7, .9, .1, .5, .5})),
      without(Tensor::of<double>({2, 2}, {.3, .7, .5, .5}));
  EXPECT_EQ(ops::dice_loss(p, labels_of({3}, {1, -1, 0})).value().item(),
            ops::dice_loss(without, labels_of({2}, {1, 0})).value().item());
}

TEST(CrossEntropy, Golden) {
  const Golden golden("ops_loss");
  for (const std::string& name : golden.cases()) {
    if (name.rfind("ce_", 0) != 0) continue;
    for (const LossType& type : loss_types) {
      SCOPED_TRACE(name);
      Variable z = Variable::parameter(golden.get(name + "/x", type.dtype));
      Tape tape;
      const Variable loss = ops::cross_entropy(z, golden_labels(golden, name));
      EXPECT_TRUE(close(loss.value(), golden.get(name + "/y"), type.tolerance));
      tape.backward(ops::scale(loss, golden.number(name + "/dy")));
      EXPECT_TRUE(close(z.grad(), golden.get(name + "/dx"), type.tolerance));
    }
  }
}

/// The golden cases name one channel (`attr.channel`) or mean over all.
Variable golden_dice(const Golden& golden, const std::string& name, const Variable& p, Dtype dtype) {
  ops::DiceSpec spec{.squared = name.find("_d1") == std::string::npos, .smooth = golden.number(name + "/attr.smooth")};
  if (golden.has(name + "/attr.channel")) spec.first_channel = std::int64_t(golden.number(name + "/attr.channel"));
  if (name == "dice_d1_both_channels") {  // one sum over voxels and channels: every entry is a voxel of one channel
    std::vector<double> one_hot;
    for (double t : golden_labels(golden, name).to_doubles())
      one_hot.insert(one_hot.end(), {t == 0 ? 1.0 : 0.0, t == 1 ? 1.0 : 0.0});
    const engine::Shape flat{p.value().size(), 1};
    return ops::dice_loss_soft(ops::reshape(p, flat), Tensor::of(flat, one_hot).to(dtype), spec);
  }
  if (golden.has(name + "/y0")) return ops::dice_loss_soft(p, golden.get(name + "/y0", dtype), spec);
  return ops::dice_loss(p, golden_labels(golden, name), spec);
}

TEST(DiceLoss, Golden) {
  const Golden golden("ops_loss");
  for (const std::string& name : golden.cases()) {
    if (name.rfind("dice_", 0) != 0) continue;
    for (const LossType& type : loss_types) {
      SCOPED_TRACE(name);
      Variable p = Variable::parameter(golden.get(name + "/x", type.dtype));
      Tape tape;
      const Variable loss = golden_dice(golden, name, p, type.dtype);
      EXPECT_TRUE(close(loss.value(), golden.get(name + "/y"), type.tolerance));
      tape.backward(ops::scale(loss, golden.number(name + "/dy")));
      EXPECT_TRUE(close(p.grad(), golden.get(name + "/dx"), type.tolerance));
    }
  }
}

TEST(SupervisedLoss, HalfCrossEntropyHalfDiceGolden) {  // dice of the foreground for two classes, of all four otherwise
  const Golden golden("ops_loss");
  for (const std::string name : {"supervised_c2", "supervised_c4"})
    for (const LossType& type : loss_types) {
      SCOPED_TRACE(name);
      Variable z = Variable::parameter(golden.get(name + "/x", type.dtype));
      const Tensor labels = golden_labels(golden, name);
      const ops::DiceSpec spec{.smooth = golden.number(name + "/attr.smooth"),
                               .first_channel = name == "supervised_c2" ? 1 : 0};
      Tape tape;
      const Variable loss =
          ops::scale(ops::add(ops::cross_entropy(z, labels), ops::dice_loss(ops::softmax(z), labels, spec)), 0.5);
      EXPECT_TRUE(close(loss.value(), golden.get(name + "/y"), type.tolerance));
      tape.backward(ops::scale(loss, golden.number(name + "/dy")));
      EXPECT_TRUE(close(z.grad(), golden.get(name + "/dx"), type.tolerance));
    }
}

TEST(SoftCrossEntropy, GoldenConsistencyLoss) {
  const Golden golden("agcl_schedule");
  for (const std::string name : {"l_reg_2d_c4", "l_reg_3d_c2", "l_reg_large"})
    for (const LossType& type : loss_types) {
      SCOPED_TRACE(name);
      Variable z = Variable::parameter(golden.get(name + "/student_logits", type.dtype));
      const Tensor q = ops::softmax(Variable(golden.get(name + "/teacher_logits", type.dtype))).value();
      Tape tape;
      const Variable loss = ops::soft_cross_entropy(z, q);
      EXPECT_TRUE(close(loss.value(), golden.get(name + "/loss"), type.tolerance));
      tape.backward(loss);
      EXPECT_TRUE(close(z.grad(), golden.get(name + "/dstudent_logits"), type.tolerance));
    }
}

/// Everything the losses compute for 20011 voxels (many blocks and a remainder), some of them not counted.
std::vector<Tensor> losses_and_gradients(std::int64_t classes, Dtype dtype) {
  constexpr std::int64_t voxels = 20011;
  const Tensor scores = random_tensor({voxels, classes}, 1, dtype, 3),
               soft = ops::softmax(Variable(random_tensor({voxels, classes}, 2, dtype))).value();
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < voxels; ++i) labels.push_back(std::int32_t((i * 7 + i / 3) % (classes + 1)) - 1);
  const Tensor targets = labels_of({voxels}, labels);
  std::vector<Tensor> results;
  const auto collect = [&](const Tensor& start, const std::function<Variable(const Variable&)>& loss) {
    Variable x = Variable::parameter(start);
    Tape tape;
    const Variable y = loss(x);
    tape.backward(y, Tensor::full({}, 1.5, dtype));
    results.insert(results.end(), {y.value(), x.grad()});
  };
  collect(scores, [&](const Variable& z) { return ops::cross_entropy(z, targets); });
  collect(scores, [&](const Variable& z) { return ops::soft_cross_entropy(z, soft); });
  for (const bool squared : {true, false}) {
    collect(soft, [&](const Variable& p) { return ops::dice_loss(p, targets, {.squared = squared}); });
    collect(soft, [&](const Variable& p) { return ops::dice_loss_soft(p, soft, {.squared = squared}); });
  }
  return results;
}

// 1 to 16 classes have vectorised kernels in single precision, 17 do not.
TEST(Losses, ManyVoxelsAgreeInBothPrecisions) {
  for (std::int64_t classes : {1, 2, 3, 4, 5, 16, 17}) {
    const std::vector<Tensor> wide = losses_and_gradients(classes, Dtype::f64),
                              narrow = losses_and_gradients(classes, Dtype::f32);
    for (std::size_t k = 0; k < wide.size(); ++k) {
      double scale = 0;
      for (double v : wide[k].to_doubles()) scale = std::max(scale, std::abs(v));
      if (scale < 1e-12) continue;  // one class: nothing to lose
      EXPECT_TRUE(close(narrow[k], wide[k], 1e-5)) << classes << " classes, result " << k;
    }
  }
}

TEST(Losses, BitsDependNeitherOnThreadsNorOnTheInstructionSet) {
  const int before = engine::threads();
  for (std::int64_t classes : {2, 3, 4, 5}) {
    engine::set_threads(1);
    const std::vector<Tensor> one = losses_and_gradients(classes, Dtype::f32);
    for (const std::string& instructions : ops::cpu::available_kernels())
      for (int threads : {1, 2, 8}) {
        ops::cpu::use_kernels(instructions);
        engine::set_threads(threads);
        const std::vector<Tensor> other = losses_and_gradients(classes, Dtype::f32);
        for (std::size_t k = 0; k < one.size(); ++k)
          EXPECT_TRUE(identical(other[k], one[k]))
              << instructions << ", " << threads << " threads, " << classes << " classes, result " << k;
      }
    ops::cpu::use_kernels(ops::cpu::available_kernels()[0]);
  }
  engine::set_threads(before);
}

TEST(Exponential, WithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  for (double x = -87; x < 88.7; x += 0.00173) {
    const double exact = std::exp(double(float(x))), unit = std::ldexp(1.0, std::ilogb(exact) - 23);
    worst = std::max(worst, std::abs(double(ops::kernels::exponential(float(x))) - exact) / unit);
  }
  EXPECT_LT(worst, 2);
  EXPECT_EQ(ops::kernels::exponential(0.0f), 1.0f);
  EXPECT_EQ(ops::kernels::exponential(-1000.0f), 0.0f);
  EXPECT_EQ(ops::kernels::exponential(-INFINITY), 0.0f);
  EXPECT_EQ(ops::kernels::exponential(100.0f), INFINITY);
  EXPECT_TRUE(std::isnan(ops::kernels::exponential(NAN)));
  EXPECT_GT(ops::kernels::exponential(-103.0f), 0.0f);  // denormal
}

TEST(Logarithm, WithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  for (double x = 1e-30; x < 1e30; x *= 1.00037) {
    const double exact = std::log(double(float(x))), unit = std::ldexp(1.0, std::ilogb(exact) - 23);
    if (exact != 0) worst = std::max(worst, std::abs(double(ops::kernels::logarithm(float(x))) - exact) / unit);
  }
  EXPECT_LT(worst, 2);
  EXPECT_EQ(ops::kernels::logarithm(1.0f), 0.0f);
}

TEST(Losses, Errors) {
  const Variable z(Tensor::zeros({2, 3}));
  EXPECT_TRUE(throws<engine::UsageError>(
      [&] {
        ops::cross_entropy(z, labels_of({2}, {0, 3}));
      },
      "cross_entropy: label 3 at position 1"));
  EXPECT_TRUE(throws<engine::UsageError>(
      [&] {
        ops::dice_loss(z, labels_of({2}, {-2, 0}));
      },
      "dice_loss: label -2 at position 0"));
  EXPECT_TRUE(throws<engine::ShapeError>([&] { ops::cross_entropy(z, labels_of({3}, {0, 1, 2})); }, "got [3]"));
  EXPECT_TRUE(throws<engine::DtypeError>([&] { ops::cross_entropy(z, Tensor::zeros({2})); }, "labels must be i32, got f32"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::cross_entropy(z, {}); }, "labels are undefined"));
  EXPECT_TRUE(throws<engine::ShapeError>(
      [&] {
        ops::soft_cross_entropy(z, Tensor::zeros({3, 2}));
      },
      "nothing is broadcast"));
  EXPECT_TRUE(throws<engine::UsageError>(
      [&] {
        ops::dice_loss(z, labels_of({2}, {0, 1}), {.first_channel = 3});
      },
      "first_channel 3"));
  EXPECT_TRUE(throws<engine::UsageError>([&] { ops::dice_loss(z, labels_of({2}, {0, 1}), {.smooth = -1}); }, "smooth"));
}

}  // namespace
}  // namespace sagcl::tests
