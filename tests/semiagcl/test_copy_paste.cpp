#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "semiagcl/copy_paste.h"
#include "semiagcl/training/supervised_loss.h"
#include "semiagcl/training/trainer.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using namespace semiagcl;
using engine::Dtype;
using engine::Shape;
using Doubles = std::vector<double>;

datasets::BatchSpec boxes(const engine::Extents& crop, double box) {
  datasets::BatchSpec spec;
  spec.labelled = 1, spec.unlabelled = 0, spec.weak.crop = crop, spec.box = box, spec.seed = 3;
  return spec;
}

datasets::Sample sample(const Shape& extents) {
  engine::Generator random(5, "sample");
  datasets::Sample s{"case", Tensor::zeros({extents[0], extents[1], extents[2], 1}), Tensor::zeros(extents, Dtype::u8), {}};
  for (std::int64_t i = 0; i < s.image.size(); ++i) {
    s.label.data<std::uint8_t>()[i] = std::uint8_t(i / 7 % 2);
    s.image.data<float>()[i] = float(random.normal()) + 2 * float(s.label.data<std::uint8_t>()[i]);
  }
  return s;
}

TEST(Mask, IsABoxOfZerosThatMovesFromStepToStep) {
  const datasets::BatchSpec spec = boxes({{6, 9, 12}}, 2.0 / 3);
  std::set<std::vector<float>> seen;
  for (std::int64_t step = 0; step < 40; ++step) {
    const Tensor mask = datasets::make_batch({sample({6, 9, 12})}, {}, spec, step).mask;
    ASSERT_EQ(mask.shape(), (Shape{6, 9, 12}));
    const std::vector<float> m = mask.to_vector<float>();
    engine::Extents low{{6, 9, 12}}, high{{-1, -1, -1}};
    std::int64_t zeros = 0;
    for (std::int64_t i = 0; i < mask.size(); ++i) {
      if (m[std::size_t(i)] != 0) continue;
      ++zeros;
      const std::int64_t at[3] = {i / 108, i / 12 % 9, i % 12};
      for (int a = 0; a < 3; ++a) low[a] = std::min(low[a], at[a]), high[a] = std::max(high[a], at[a]);
    }
    EXPECT_EQ(zeros, 4 * 6 * 8);
    EXPECT_EQ((high[0] - low[0] + 1) * (high[1] - low[1] + 1) * (high[2] - low[2] + 1), zeros);
    seen.insert(m);
  }
  EXPECT_GT(seen.size(), 15u);
  EXPECT_FALSE(datasets::make_batch({sample({6, 9, 12})}, {}, boxes({{6, 9, 12}}, 0), 0).mask.defined());
  // A plane keeps its only slice inside the box.
  const Tensor flat = datasets::make_batch({sample({1, 9, 12})}, {}, boxes({{1, 9, 12}}, 0.5), 0).mask;
  double kept = 0;
  for (float v : flat.to_vector<float>()) kept += double(v);
  EXPECT_EQ(kept, 108 - 4 * 6);
  EXPECT_TRUE(throws<engine::UsageError>(
      [&] {
        datasets::make_batch({sample({6, 9, 12})}, {}, boxes({{6, 9, 12}}, 1.5), 0);
      },
      "1.5"));
}

TEST(MixedLoss, IsTheWeightedSumOverBothRegions) {
  const Shape s{2, 1, 4, 5};
  engine::Generator random(1, "logits");
  Doubles values;
  for (int i = 0; i < 2 * 20 * 3; ++i) values.push_back(random.normal());
  const Variable logits = Variable::parameter(Tensor::of({2, 1, 4, 5, 3}, values));
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 40; ++i) labels.push_back(std::int32_t(i * 7 % 4) - 1);  // -1 stays uncounted
  const Tensor y = Tensor::of(s, labels),
               mask = Tensor::of<float>({1, 4, 5}, {1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1});
  std::vector<std::int32_t> outside = labels, inside = labels;
  for (int i = 0; i < 40; ++i) (mask.to_vector<float>()[std::size_t(i % 20)] != 0 ? inside : outside)[std::size_t(i)] = -1;
  const double want = supervised_loss(logits, Tensor::of(s, outside)).value().item() +
                      0.25 * supervised_loss(logits, Tensor::of(s, inside)).value().item();
  EXPECT_NEAR(mixed_loss(logits, y, mask, 1, 0.25).value().item(), want, 1e-14);
  const double only_inside = supervised_loss(logits, Tensor::of(s, inside)).value().item();
  EXPECT_NEAR(mixed_loss(logits, y, mask, 0, 1).value().item(), only_inside, 1e-14);
}

TEST(PseudoLabels, KeepTheLargestComponentOfEveryImage) {
  Tensor p = Tensor::zeros({2, 1, 1, 6, 2}, Dtype::f32);
  const std::vector<int> foreground[2] = {{0, 1, 3, 4, 5}, {0, 2, 3}};
  for (int n = 0; n < 2; ++n)
    for (int i = 0; i < 6; ++i) {
      const bool in = std::find(foreground[n].begin(), foreground[n].end(), i) != foreground[n].end();
      p.data<float>()[(n * 6 + i) * 2] = in ? 0.25f : 0.75f, p.data<float>()[(n * 6 + i) * 2 + 1] = in ? 0.75f : 0.25f;
    }
  EXPECT_EQ(pseudo_labels(p, false).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0}));
  EXPECT_EQ(pseudo_labels(p, true).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0}));
}

RunSettings small(bool flat) {
  RunSettings s;
  s.train.method = "bcp", s.network.name = flat ? "unet" : "vnet", s.network.width = 2;
  s.train.patch = flat ? std::vector<std::int64_t>{1, 32, 32} : std::vector<std::int64_t>{16, 16, 16};
  s.train.steps = 8, s.train.batch = 8, s.train.learning_rate = 0.01, s.train.restarts = 0;
  s.augment.flip = {"H"};
  return s;
}

TrainingData data_of(bool flat) {
  const Shape extents = flat ? Shape{1, 40, 40} : Shape{18, 20, 20};
  TrainingData data{.labelled = {sample(extents), sample(extents)},
                    .unlabelled = {sample(extents), sample(extents), sample(extents)}};
  for (auto& s : data.unlabelled) s.label = {};
  return data;
}

class Bcp : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Networks, Bcp, testing::Values(false, true),
                         [](const auto& flat) { return flat.param ? "unet" : "vnet"; });

TEST_P(Bcp, PreTrainsOnLabelledPairsThenPastesBothWays) {
  const RunSettings s = small(GetParam());
  const TrainingData data = data_of(GetParam());
  Trainer trainer(s, data, {});
  ASSERT_EQ(trainer.phases().size(), 2u);
  EXPECT_EQ(trainer.phases()[0].name, "pre-training");
  EXPECT_EQ(trainer.phases()[0].steps, 2);
  EXPECT_EQ(trainer.teacher(), nullptr);
  while (!trainer.finished()) trainer.advance();
  const std::vector<StepReport> reports = trainer.reports();
  ASSERT_EQ(reports.size(), 8u);
  for (const StepReport& r : reports) {
    const bool pre_training = r.step <= 2;
    EXPECT_EQ(r.values.terms.count("sup"), pre_training) << r.step;
    EXPECT_EQ(r.values.terms.count("in"), !pre_training) << r.step;
    if (pre_training) continue;
    EXPECT_NEAR(r.values.loss, r.values.terms.at("in") + r.values.terms.at("out"), 1e-6);
  }
  EXPECT_NE(trainer.teacher(), nullptr);
}

TEST_P(Bcp, GoesOnBitForBit) {
  const RunSettings s = small(GetParam());
  const TrainingData data = data_of(GetParam());
  Trainer straight(s, data, {});
  while (!straight.finished()) straight.advance();
  const std::string whole = engine::safetensors_bytes(straight.checkpoint());
  for (const std::int64_t at : {1, 2, 5}) {
    Trainer first(s, data, {}), second(s, data, {});
    while (first.steps_done() < at) first.advance();
    second.restore(first.checkpoint(), "memory");
    while (!second.finished()) second.advance();
    EXPECT_EQ(engine::safetensors_bytes(second.checkpoint()), whole) << "interrupted after " << at;
  }
}

TEST(BcpSettings, NeedHalvesOfHalves) {
  RunSettings s = small(true);
  s.train.batch = 6;
  const TrainingData data = data_of(true);
  EXPECT_TRUE(throws<engine::UsageError>([&] { Trainer(s, data, {}); }, "train.batch = 6"));
}

}  // namespace
}  // namespace sagcl::tests
