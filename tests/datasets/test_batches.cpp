#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>
#include <tuple>

#include "datasets/batches.h"
#include "datasets/phantom.h"
#include "datasets/signed_distance.h"
#include "datasets/split.h"
#include "tests/datasets/scratch.h"
#include "tests/support/golden.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

std::vector<Sample> samples(std::int64_t from, std::int64_t to, bool with_labels) {
  std::vector<Sample> all;
  for (std::int64_t i = from; i < to; ++i) {
    all.push_back(phantom({.extents = {{6, 8, 7}}}, i));
    if (!with_labels) all.back().label = {};
  }
  return all;
}

const BatchSpec spec{.labelled = 2,
                     .unlabelled = 3,
                     .weak = {.crop = {{4, 6, 8}}, .flip = {false, false, true}},
                     .strong = StrongSpec::volumes(),
                     .seed = 9};

void expect_same(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.places, b.places);
  EXPECT_TRUE(identical(a.weak, b.weak));
  EXPECT_TRUE(identical(a.strong, b.strong));
  EXPECT_TRUE(identical(a.label, b.label));
}

TEST(Batches, ShapesAndHalves) {
  const auto labelled = samples(0, 3, true), unlabelled = samples(3, 8, false);
  const Batch b = make_batch(labelled, unlabelled, spec, 0);
  EXPECT_EQ(b.weak.shape(), engine::Shape({5, 4, 6, 8, 1}));
  EXPECT_EQ(b.label.shape(), engine::Shape({2, 4, 6, 8}));  // unlabelled samples have none
  EXPECT_EQ(b.labelled, 2);
  for (std::int32_t y : b.label.to_vector<std::int32_t>()) EXPECT_GE(y, 0);
  for (std::size_t j = 0; j < 5; ++j) EXPECT_EQ(b.ids[j] < "phantom_003", j < 2);
}

/// Crops of three voxels about a voxel of a drawn class, the large one as often as the small one.
TEST(Batches, CropsCentredOnForeground) {
  Sample one{"a", Tensor::full({9, 9, 9, 1}, 0), Tensor::zeros({9, 9, 9}, engine::Dtype::u8), {}};
  std::uint8_t* const y = one.label.data<std::uint8_t>();
  for (std::int64_t d = 2; d < 7; ++d)
    for (std::int64_t h = 1; h < 4; ++h) std::fill_n(y + (d * 9 + h) * 9 + 2, 5, std::uint8_t(1));
  y[(4 * 9 + 7) * 9 + 4] = 2;  // one voxel of 729
  y[0] = not_annotated;        // is no class
  BatchSpec crops{
      .labelled = 1, .unlabelled = 0, .weak = {.crop = {{3, 3, 3}}}, .strong = {}, .foreground_share = 1, .seed = 4};
  std::array<int, 3> centred = {};
  constexpr int steps = 200;
  for (int step = 0; step < steps; ++step)
    ++centred[std::size_t(make_batch({one}, {}, crops, step).label.data<std::int32_t>()[13])];
  EXPECT_EQ(centred[0], 0);
  EXPECT_NEAR(centred[2], 0.5 * steps, 30);
  crops.foreground_share = 0.5;
  int moved = 0;
  for (int step = 0; step < steps; ++step) moved += make_batch({one}, {}, crops, step).label.data<std::int32_t>()[13] == 2;
  EXPECT_NEAR(moved, 0.25 * steps, 25);
  std::fill_n(y, one.label.size(), std::uint8_t(0));  // of background alone: where it was drawn
  crops.foreground_share = 1;
  const Batch stays = make_batch({one}, {}, crops, 3);
  crops.foreground_share = 0;
  expect_same(stays, make_batch({one}, {}, crops, 3));
}

/// A voxel at the border is not at the centre, but in the crop; a volume smaller than the crop stays where it is.
TEST(Batches, ForegroundAtTheBorder) {
  Sample one{"a", Tensor::full({2, 9, 9, 1}, 0), Tensor::zeros({2, 9, 9}, engine::Dtype::u8), {}};
  one.label.data<std::uint8_t>()[8] = 1;  // d 0, h 0, w 8
  const BatchSpec crops{.labelled = 1, .unlabelled = 0, .weak = {.crop = {{4, 4, 4}}}, .strong = {}, .foreground_share = 1};
  const Batch b = make_batch({one}, {}, crops, 0);
  EXPECT_EQ(b.places[0].start, (engine::Extents{{0, 0, 5}}));
  EXPECT_EQ(std::count(b.label.data<std::int32_t>(), b.label.data<std::int32_t>() + 64, 1), 1);
}

/// Both views of a sample show the same place: without strong changes they are the same bits.
TEST(Batches, ViewsShareTheirPlace) {
  const auto labelled = samples(0, 3, true), unlabelled = samples(3, 8, false);
  BatchSpec plain = spec;
  plain.strong = {};
  const Batch b = make_batch(labelled, unlabelled, plain, 4);
  EXPECT_TRUE(identical(b.weak, b.strong));
  const Batch strong = make_batch(labelled, unlabelled, spec, 4);
  EXPECT_TRUE(identical(b.weak, strong.weak));
  EXPECT_FALSE(identical(strong.weak, strong.strong));
  BatchSpec mild = spec;
  mild.strong_labelled = 0;
  const Batch half = make_batch(labelled, unlabelled, mild, 4);
  const std::size_t first = 2 * 4 * 6 * 8 * sizeof(float);
  EXPECT_EQ(std::memcmp(half.strong.bytes_begin(), half.weak.bytes_begin(), first), 0);
  EXPECT_TRUE(std::memcmp(static_cast<char*>(half.strong.bytes_begin()) + first,
                          static_cast<char*>(strong.strong.bytes_begin()) + first, half.strong.bytes() - first) == 0);
  mild.strong_labelled = 0.3;
  int strong_ones = 0;
  for (std::int64_t step = 0; step < 100; ++step) {  // 200 labelled samples
    const Batch some = make_batch(labelled, unlabelled, mild, step);
    for (std::size_t j = 0; j < 2; ++j)
      strong_ones += std::memcmp(static_cast<char*>(some.strong.bytes_begin()) + j * first / 2,
                                 static_cast<char*>(some.weak.bytes_begin()) + j * first / 2, first / 2) != 0;
  }
  EXPECT_NEAR(strong_ones, 60, 20);
}

/// Also of places that are turned and scaled: the label lies where the image does, and batches are made again alike.
TEST(Batches, TurnedPlacesAreSharedAndDrawnAgain) {
  auto labelled = samples(0, 3, true);
  for (Sample& s : labelled) {  // an image that shows its label
    s.image = s.label.to(engine::Dtype::f32).reshape({6, 8, 7, 1});
    for (float& v : std::span(s.image.data<float>(), std::size_t(s.image.size()))) v = v != 0 ? 1 : 0;
  }
  BatchSpec turned = spec;
  turned.unlabelled = 0, turned.strong = {}, turned.weak.turn = 25, turned.weak.scale = 1.2, turned.weak.free_share = 1;
  turned.weak.elastic = 0.2;
  for (std::int64_t step = 0; step < 4; ++step) {
    const Batch b = make_batch(labelled, {}, turned, step);
    EXPECT_NE(b.places[0].turn, b.places[1].turn);
    EXPECT_NE(b.places[0].bend, b.places[1].bend);
    EXPECT_TRUE(identical(b.weak, b.strong));
    expect_same(b, make_batch(labelled, {}, turned, step));
    for (std::int64_t v = 0; v < b.label.size(); ++v) {
      const float share = b.weak.data<float>()[v];  // of organ around the point: all or nothing must be in the label, too
      const bool organ = b.label.data<std::int32_t>()[v] != 0;
      EXPECT_TRUE(organ ? share > 0.001f : share < 0.999f) << v;
    }
  }
}

TEST(Batches, EveryCaseOncePerEpoch) {
  for (std::int64_t n : {1, 2, 7, 20})
    for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
      std::set<std::int64_t> seen;
      for (std::int64_t i = 0; i < n; ++i) seen.insert(stream_case(3, "labelled stream", n, epoch * n + i));
      EXPECT_EQ(std::int64_t(seen.size()), n);
    }
}

TEST(Batches, PrefetchedInOrderAndEqualToTheFunction) {
  const auto labelled = samples(0, 3, true), unlabelled = samples(3, 8, false);
  TwoStreamBatches stream(labelled, unlabelled, spec);
  for (std::int64_t t = 0; t < 12; ++t) expect_same(stream.next(), make_batch(labelled, unlabelled, spec, t));
}

TEST(Batches, AnyNumberOfThreadsGivesTheSameOrderAndBits) {
  const auto labelled = samples(0, 3, true), unlabelled = samples(3, 8, false);
  BatchSpec many = spec;
  many.labelled = many.unlabelled = 4, many.shards = 2, many.own_shards = 2, many.foreground_share = 0.5;
  for (const std::int64_t threads : {2, 5}) {
    many.threads = threads;
    TwoStreamBatches stream(labelled, unlabelled, many, 7, 1);
    for (std::int64_t t = 7; t < 27; ++t)
      for (std::int64_t s : {0, 1}) expect_same(stream.next(), make_batch(labelled, unlabelled, many, t, s));
  }
  many.threads = 0;
  expect_error<engine::UsageError>([&] { TwoStreamBatches(labelled, unlabelled, many); }, {"0 threads"});
}

TEST(Batches, ShardsHoldTheSamplesOfTheWhole) {
  const auto labelled = samples(0, 3, true), unlabelled = samples(3, 8, false);
  BatchSpec halves = spec;
  halves.unlabelled = 2;
  const Batch whole = make_batch(labelled, unlabelled, halves, 4);
  halves.shards = 2;
  ASSERT_EQ(whole.ids.size(), 4u);
  for (std::int64_t s = 0; s < 2; ++s) {
    const Batch half = make_batch(labelled, unlabelled, halves, 4, s);
    EXPECT_EQ(half.labelled, 1);
    EXPECT_EQ(half.shard, s);
    for (std::int64_t j = 0; j < 2; ++j) {  // the labelled sample, then the unlabelled one
      const std::int64_t of_whole = 2 * j + s;
      EXPECT_EQ(half.ids[std::size_t(j)], whole.ids[std::size_t(of_whole)]);
      for (const auto part : {&Batch::weak, &Batch::strong, &Batch::label}) {
        if (part == &Batch::label && j == 1) continue;
        const std::size_t bytes = (half.*part).bytes() / std::size_t((half.*part).shape()[0]);
        EXPECT_EQ(std::memcmp(static_cast<char*>((half.*part).bytes_begin()) + std::size_t(j) * bytes,
                              static_cast<char*>((whole.*part).bytes_begin()) + std::size_t(of_whole) * bytes, bytes),
                  0);
      }
    }
  }
  expect_error<engine::UsageError>([&] { make_batch(labelled, unlabelled, halves, 4, 2); }, {"no shard 2 of 2"});
  halves.shards = 4;
  expect_error<engine::UsageError>([&] { make_batch(labelled, unlabelled, halves, 4); }, {"2 labelled", "4 equal shards"});
}

/// The voxels of samples i and j of b that differ from those of a, as a box; its volume must be their number.
void expect_swapped_box(const Batch& a, const Batch& b, std::int64_t i, std::int64_t j, const engine::Extents& size) {
  const engine::Extents crop = spec.weak.crop;
  const std::int64_t voxels = crop.volume();
  const auto value = [&](const Batch& of, std::int64_t n, std::int64_t v) {
    return std::tuple(of.weak.data<float>()[n * voxels + v], of.strong.data<float>()[n * voxels + v],
                      of.label.data<std::int32_t>()[n * voxels + v]);
  };
  engine::Extents low = crop, high{{-1, -1, -1}};
  std::int64_t swapped = 0;
  for (std::int64_t v = 0; v < voxels; ++v) {
    if (value(a, i, v) == value(b, i, v)) {
      EXPECT_EQ(value(a, j, v), value(b, j, v));
      continue;
    }
    EXPECT_EQ(value(a, i, v), value(b, j, v));
    EXPECT_EQ(value(a, j, v), value(b, i, v));
    const std::int64_t at[3] = {v / (crop[1] * crop[2]), v / crop[2] % crop[1], v % crop[2]};
    for (int axis = 0; axis < 3; ++axis) {
      low[axis] = std::min(low[axis], at[axis]);
      high[axis] = std::max(high[axis], at[axis]);
    }
    ++swapped;
  }
  for (int axis = 0; axis < 3; ++axis) EXPECT_EQ(high[axis] - low[axis] + 1, size[axis]);
  EXPECT_EQ(swapped, size.volume());
}

TEST(Batches, CopyPasteSwapsOneBoxOfEachPairInBothViewsAndTheLabel) {
  const auto labelled = samples(0, 5, true), unlabelled = samples(5, 8, false);
  BatchSpec plain = spec, pasted = spec;
  plain.labelled = pasted.labelled = 5;
  pasted.paste_box = 0.5;
  const Batch a = make_batch(labelled, unlabelled, plain, 3), b = make_batch(labelled, unlabelled, pasted, 3);
  EXPECT_EQ(a.places, b.places);
  for (std::int64_t pair : {0, 1}) expect_swapped_box(a, b, pair, pair + 2, {{2, 3, 4}});
  const std::int64_t odd = 4 * spec.weak.crop.volume();  // the fifth has no partner, unlabelled samples take no part
  EXPECT_EQ(std::memcmp(a.weak.data<float>() + odd, b.weak.data<float>() + odd, a.weak.bytes() - std::size_t(odd) * 4), 0);
  expect_same(b, make_batch(labelled, unlabelled, pasted, 3));
}

TEST(Batches, CopyPasteDrawsABoxForEveryPairAndStep) {
  const auto labelled = samples(0, 4, true);
  BatchSpec plain = spec, pasted = spec;
  plain.labelled = pasted.labelled = 4, plain.unlabelled = pasted.unlabelled = 0;
  pasted.paste_box = 0.5;
  std::set<std::vector<bool>> boxes;
  for (std::int64_t step = 0; step < 10; ++step) {
    const auto a = make_batch(labelled, {}, plain, step).weak.to_vector<float>();
    const auto b = make_batch(labelled, {}, pasted, step).weak.to_vector<float>();
    const std::size_t one = a.size() / 4;
    for (std::size_t pair = 0; pair < 2; ++pair) {
      std::vector<bool> box;
      for (std::size_t v = 0; v < one; ++v) box.push_back(a[pair * one + v] != b[pair * one + v]);
      boxes.insert(box);
    }
  }
  EXPECT_GT(boxes.size(), 12u);  // of 3 * 4 * 5 places
}

TEST(Batches, CopyPasteNeedsPairs) {
  BatchSpec one = spec;
  one.labelled = 1, one.paste_box = 0.5;
  expect_error<engine::UsageError>([&] { make_batch(samples(0, 1, true), samples(1, 3, false), one, 0); },
                                   {"a shard has 1 of them"});
}

/// Of the labels as they are in the batch: turned, pasted, without those that nobody annotated.
TEST(Batches, SignedDistancesOfTheLabelsThatAreTrainedOn) {
  const auto labelled = samples(0, 4, true), unlabelled = samples(4, 8, false);
  BatchSpec measured = spec;
  measured.labelled = 4, measured.paste_box = 0.5, measured.weak.turn = 20, measured.distances = 3;
  const Batch b = make_batch(labelled, unlabelled, measured, 2);
  ASSERT_EQ(b.distance.shape(), engine::Shape({4, 4, 6, 8, 2}));
  const std::vector<std::int32_t> label = b.label.to_vector<std::int32_t>();
  const std::size_t voxels = 4 * 6 * 8;
  std::vector<float> wanted(label.size() * 2);
  for (std::size_t i = 0; i < 4; ++i)
    signed_distances(std::span(label).subspan(i * voxels, voxels), {{4, 6, 8}}, 3, wanted.data() + i * voxels * 2);
  EXPECT_EQ(b.distance.to_vector<float>(), wanted);
  EXPECT_LT(*std::min_element(wanted.begin(), wanted.end()), 0);
  EXPECT_FALSE(make_batch(labelled, unlabelled, spec, 2).distance.defined());
  measured.distances = 1;
  expect_error<engine::UsageError>([&] { make_batch(labelled, unlabelled, measured, 2); }, {"must be two or more"});
}

TEST(Batches, OwnShardsComeInOrder) {
  const auto labelled = samples(0, 3, true), unlabelled = samples(3, 8, false);
  BatchSpec second = spec;
  second.labelled = second.unlabelled = 4;
  second.shards = 4, second.first_shard = 2, second.own_shards = 2;
  TwoStreamBatches stream(labelled, unlabelled, second, 3);
  for (std::int64_t t = 3; t < 6; ++t)
    for (std::int64_t s : {2, 3}) expect_same(stream.next(), make_batch(labelled, unlabelled, second, t, s));
}

TEST(Batches, ResumeAtAnyStep) {
  const auto labelled = samples(0, 3, true), unlabelled = samples(3, 8, false);
  TwoStreamBatches whole(labelled, unlabelled, spec), rest(labelled, unlabelled, spec, 5, 1);
  for (int t = 0; t < 5; ++t) whole.next();
  for (int t = 5; t < 9; ++t) expect_same(whole.next(), rest.next());
}

TEST(Batches, StopsCleanlyWhileTheQueueIsFullOrUnused) {
  const auto labelled = samples(0, 2, true), unlabelled = samples(2, 4, false);
  for (int i = 0; i < 20; ++i) {
    TwoStreamBatches stream(labelled, unlabelled, spec, i, 2);
    if (i % 2) stream.next();
  }
}

TEST(Batches, AnErrorInTheThreadReachesTheConsumer) {
  const auto labelled = samples(0, 2, false), unlabelled = samples(2, 4, false);  // labels forgotten
  for (const std::int64_t threads : {1, 3}) {
    BatchSpec one = spec;
    one.threads = threads;
    TwoStreamBatches stream(labelled, unlabelled, one);
    for (int i = 0; i < 2; ++i) expect_error<engine::UsageError>([&] { stream.next(); }, {"phantom_", "without its label"});
  }
  expect_error<engine::UsageError>(
      [&] {
        TwoStreamBatches none(labelled, {}, spec);
        none.next();
      },
      {"no unlabelled case"});
  BatchSpec supervised = spec;
  supervised.unlabelled = 0;
  const auto good = samples(0, 2, true);
  EXPECT_EQ(make_batch(good, {}, supervised, 0).weak.shape()[0], 2);
}

TEST(Batches, AWrongCropReachesTheConsumer) {
  const auto labelled = samples(0, 2, true), unlabelled = samples(2, 4, false);
  BatchSpec wrong = spec;
  wrong.weak.quarter_turns = true;  // the crop is 6 x 8
  TwoStreamBatches stream(labelled, unlabelled, wrong);
  EXPECT_THROW(stream.next(), engine::ShapeError);
}

}  // namespace
}  // namespace sagcl::tests
