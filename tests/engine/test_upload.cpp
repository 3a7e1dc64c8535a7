// Copies beside a device's work, on a device that makes every forgotten wait visible.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/devices/device_registry.h"
#include "engine/devices/upload.h"
#include "tests/support/queued_device.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using engine::Device;
using engine::Tensor;
using engine::Upload;
using Values = std::vector<float>;

class Uploads : public testing::TestWithParam<QueuedDevice::Copies> {
 protected:
  void SetUp() override {  // so that a block that is given back is the next to be handed out
    engine::allocator(place).empty_cache();
    engine::pinned_allocator(place).empty_cache();
  }
  Tensor staged(const Values& values) const {
    Tensor t = Tensor::staging({std::int64_t(values.size())}, engine::Dtype::f32, place);
    std::copy(values.begin(), values.end(), t.data<float>());
    return t;
  }
  const Device place = queued_device(GetParam());
};

TEST_P(Uploads, LaterWorkFindsTheCopies) {
  Upload upload({staged({1, 2, 3}), staged({4})}, place);
  const std::vector<Tensor> t = upload.arrive();
  EXPECT_EQ(t[0].device(), place);
  EXPECT_EQ(t[0].clone().to_vector<float>(), (Values{1, 2, 3}));
  EXPECT_EQ(t[1].clone().to_vector<float>(), (Values{4}));
  EXPECT_TRUE(throws<engine::UsageError>([&] { upload.arrive(); }, "an upload arrives once"));
}

TEST_P(Uploads, EarlierWorkStillReadsItsBlock) {
  Tensor before = Tensor::of<float>({3}, {1, 2, 3}, place);
  const void* block = before.bytes_begin();
  const Tensor copy = before.clone();
  before = {};
  Upload upload({staged({7, 8, 9})}, place);
  const std::vector<Tensor> t = upload.arrive();
  ASSERT_EQ(t[0].bytes_begin(), block);
  EXPECT_EQ(copy.to_vector<float>(), (Values{1, 2, 3}));
  EXPECT_EQ(t[0].to_vector<float>(), (Values{7, 8, 9}));
}

TEST_P(Uploads, HostMemoryIsKeptUntilItWasRead) {
  Tensor host = staged({1, 2, 3});
  const void* block = host.bytes_begin();
  std::vector<Tensor> t;
  {
    Upload upload({std::move(host)}, place);
    host = {};
    t = upload.arrive();
  }
  ASSERT_EQ(staged({7, 8, 9}).bytes_begin(), block);
  EXPECT_EQ(t[0].to_vector<float>(), (Values{1, 2, 3}));
}

TEST_P(Uploads, OneThatNeverArrivesLeavesItsBlockInPeace) {
  const void* block = nullptr;
  {
    Tensor first = Tensor::empty({3}, engine::Dtype::f32, place);
    block = first.bytes_begin();
  }
  { const Upload upload({staged({1, 2, 3})}, place); }
  const Tensor other = Tensor::zeros({3}, engine::Dtype::f32, place);
  ASSERT_EQ(other.bytes_begin(), block);
  engine::runtime(place).synchronize();
  {
    Upload next({staged({4})}, place);
    next.arrive()[0].to_vector<float>();
  }  // all copies so far have been made
  EXPECT_EQ(other.to_vector<float>(), (Values{0, 0, 0}));
}

INSTANTIATE_TEST_SUITE_P(QueuedDevice, Uploads, testing::Values(QueuedDevice::Copies::early, QueuedDevice::Copies::late));

TEST(Upload, ToTheCpuItPassesTheTensorsOn) {
  const Tensor host = Tensor::staging({2}, engine::Dtype::f32, Device::cpu());
  Upload upload({host}, Device::cpu());
  EXPECT_TRUE(upload.arrive()[0].shares_memory_with(host));
}

}  // namespace
}  // namespace sagcl::tests
