// On a device that works late, the feed hands out the same batches as their recipe, whatever the order of copies.
#include <gtest/gtest.h>

#include "datasets/phantom.h"
#include "semiagcl/training/batch_feed.h"
#include "tests/support/queued_device.h"

namespace sagcl::tests {
namespace {

class BatchFeeds : public testing::TestWithParam<QueuedDevice::Copies> {};

TEST_P(BatchFeeds, GiveEveryBatchInOrder) {
  const engine::Device place = queued_device(GetParam());
  std::vector<datasets::Sample> labelled, unlabelled;
  for (int i = 0; i < 6; ++i) (i < 3 ? labelled : unlabelled).push_back(datasets::phantom({.extents = {{6, 8, 7}}}, i));
  datasets::BatchSpec spec{
      .labelled = 1, .unlabelled = 1, .weak = {.crop = {{4, 6, 8}}}, .strong = datasets::StrongSpec::volumes(), .seed = 9};
  spec.reader = place, spec.distances = 2;
  semiagcl::BatchFeed feed(std::make_unique<datasets::TwoStreamBatches>(labelled, unlabelled, spec, 5), place);
  std::vector<engine::Tensor> kept;  // work that is still to be done when later batches are on their way
  for (std::int64_t step = 5; step < 12; ++step) {
    const datasets::Batch batch = feed.next();
    EXPECT_EQ(batch.step, step);
    EXPECT_EQ(batch.ids.size(), 2u);
    for (const engine::Tensor& t : {batch.weak, batch.strong, batch.label, batch.distance}) {
      EXPECT_EQ(t.device(), place);
      kept.push_back(t.clone());
    }
  }
  spec.reader = engine::Device::cpu();
  for (std::int64_t step = 5; step < 12; ++step) {
    const datasets::Batch wanted = datasets::make_batch(labelled, unlabelled, spec, step);
    const std::size_t first = std::size_t(4 * (step - 5));
    EXPECT_EQ(kept[first].to_doubles(), wanted.weak.to_doubles()) << step;
    EXPECT_EQ(kept[first + 1].to_doubles(), wanted.strong.to_doubles()) << step;
    EXPECT_EQ(kept[first + 2].to_doubles(), wanted.label.to_doubles()) << step;
    EXPECT_EQ(kept[first + 3].to_doubles(), wanted.distance.to_doubles()) << step;
  }
}

INSTANTIATE_TEST_SUITE_P(QueuedDevice, BatchFeeds, testing::Values(QueuedDevice::Copies::early, QueuedDevice::Copies::late));

}  // namespace
}  // namespace sagcl::tests
