#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "semiagcl/copy_paste.h"
#include "semiagcl/training/supervised_loss.h"
#include "tests/semiagcl/small_training.h"
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
  spec.labelled = 1, spec.unlabelled = 0, spec.weak.crop = crop, spec.mask_box = box, spec.seed = 3;
  return spec;
}

TEST(Mask, IsABoxOfZerosThatMovesFromStepToStep) {
  const datasets::BatchSpec spec = boxes({{6, 9, 12}}, 2.0 / 3);
  std::set<std::vector<float>> seen;
  for (std::int64_t step = 0; step < 40; ++step) {
    const Tensor mask = datasets::make_batch({small_sample({6, 9, 12})}, {}, spec, step).mask;
    ASSERT_EQ(mask.shape(), (Shape{1, 6, 9, 12}));
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
  EXPECT_FALSE(datasets::make_batch({small_sample({6, 9, 12})}, {}, boxes({{6, 9, 12}}, 0), 0).mask.defined());
  // A plane keeps its only slice inside the box.
  const Tensor flat = datasets::make_batch({small_sample({1, 9, 12})}, {}, boxes({{1, 9, 12}}, 0.5), 0).mask;
  double kept = 0;
  for (float v : flat.to_vector<float>()) kept += double(v);
  EXPECT_EQ(kept, 108 - 4 * 6);
  EXPECT_TRUE(throws<engine::UsageError>(
      [&] {
        datasets::make_batch({small_sample({6, 9, 12})}, {}, boxes({{6, 9, 12}}, 1.5), 0);
      },
      "1.5"));
}

TEST(BothWays, PastesEachIntoTheOther) {
  const Tensor masks = Tensor::of<float>({2, 1, 1, 3}, {1, 0, 1, 0, 1, 1});
  const BothWays both(masks);
  const Tensor labelled = Tensor::of<float>({2, 1, 1, 3, 1}, {1, 2, 3, 4, 5, 6}),
               unlabelled = Tensor::of<float>({2, 1, 1, 3, 1}, {-1, -2, -3, -4, -5, -6});
  const Doubles mixed{1, -2, 3, -4, 5, 6, -1, 2, -3, 4, -5, -6};
  EXPECT_EQ(both.mix(labelled, unlabelled).to_doubles(), mixed);
  EXPECT_EQ(both.mix(Tensor::of<float>({4, 1, 1, 3, 1}, {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6})).to_doubles(), mixed);
}

TEST(BothWays, LossesCountTheirRegions) {
  engine::Generator random(1, "logits");
  Doubles values;
  for (int i = 0; i < 4 * 20 * 3; ++i) values.push_back(random.normal());
  const Variable logits = Variable::parameter(Tensor::of({4, 1, 4, 5, 3}, values));
  std::vector<std::int32_t> truth, pseudo, of_truth, of_pseudo;
  std::vector<float> masks;
  for (int i = 0; i < 40; ++i) {
    truth.push_back(std::int32_t(i * 7 % 4) - 1), pseudo.push_back(i * 5 % 3);  // -1 stays uncounted
    masks.push_back(float(i % 5 < 2 || i > 30));
  }
  for (const bool outside : {true, false})
    for (int i = 0; i < 40; ++i) {
      const bool known = (masks[std::size_t(i)] != 0) == outside;
      of_truth.push_back(known ? truth[std::size_t(i)] : -1), of_pseudo.push_back(known ? -1 : pseudo[std::size_t(i)]);
    }
  const BothWays both(Tensor::of({2, 1, 4, 5}, masks));
  const Shape n{2, 1, 4, 5}, all{4, 1, 4, 5};
  EXPECT_EQ(both.labelled_loss(logits, Tensor::of(n, truth)).value().item(),
            supervised_loss(logits, Tensor::of(all, of_truth)).value().item());
  EXPECT_EQ(both.unlabelled_loss(logits, Tensor::of(n, pseudo)).value().item(),
            supervised_loss(logits, Tensor::of(all, of_pseudo)).value().item());
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
  EXPECT_EQ(pseudo_labels(p, true, 0.8).to_vector<std::int32_t>(), std::vector<std::int32_t>(12, -1));
  p.data<float>()[6] = 0.1f, p.data<float>()[7] = 0.9f;  // of the first image's larger component only this is certain
  EXPECT_EQ(pseudo_labels(p, true, 0.8).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{-1, -1, -1, 1, -1, -1, -1, -1, -1, -1, -1, -1}));
  EXPECT_EQ(pseudo_labels(p, true).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0}));
}

}  // namespace
}  // namespace sagcl::tests
