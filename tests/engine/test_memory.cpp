#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engine/devices/allocator.h"
#include "engine/devices/device_registry.h"
#include "engine/devices/device_runtime.h"
#include "engine/operation_name.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using engine::CachingAllocator;

/// A device with room for a given number of bytes, in main memory.
class SmallDevice final : public engine::DeviceRuntime {
 public:
  explicit SmallDevice(std::size_t room) : room_(room) {}
  void* allocate(std::size_t bytes) override {
    if (used + bytes > room_) return nullptr;
    auto* block = static_cast<std::size_t*>(std::malloc(bytes + 64));
    *block = bytes;
    used += bytes;
    return reinterpret_cast<char*>(block) + 64;
  }
  void release(void* memory) override {
    void* block = static_cast<char*>(memory) - 64;
    used -= *static_cast<std::size_t*>(block);
    std::free(block);
  }
  Room room() const override { return {room_ - used, room_}; }
  void copy_from_host(void* to, const void* from, std::size_t n) override { std::memcpy(to, from, n); }
  void copy_to_host(void* to, const void* from, std::size_t n) override { std::memcpy(to, from, n); }
  void copy_within(void* to, const void* from, std::size_t n) override { std::memcpy(to, from, n); }
  void zero(void* memory, std::size_t n) override { std::memset(memory, 0, n); }
  void synchronize() override {}
  void fill(void*, double, engine::Dtype, std::int64_t) override {}
  void add_into(void*, const void*, engine::Dtype, std::int64_t) override {}
  std::size_t used = 0;

 private:
  std::size_t room_;
};

TEST(CachingAllocator, HandsReleasedBlocksOutAgain) {
  SmallDevice device(1 << 20);
  CachingAllocator allocator(device, "small");
  void* a = allocator.allocate(1000);  // rounded up to 1024
  EXPECT_EQ(allocator.statistics().in_use, 1024u);
  allocator.release(a);
  EXPECT_EQ(allocator.statistics().in_use, 0u);
  EXPECT_EQ(allocator.statistics().cached, 1024u);
  EXPECT_EQ(allocator.allocate(1024), a);
  EXPECT_EQ(allocator.statistics().requests, 2u);
  EXPECT_EQ(allocator.statistics().from_device, 1u);
  allocator.release(a);
  allocator.empty_cache();
  EXPECT_EQ(device.used, 0u);
}

TEST(CachingAllocator, WastesLittle) {
  SmallDevice device(1 << 20);
  CachingAllocator allocator(device, "small");
  void* large = allocator.allocate(100000);
  allocator.release(large);
  void* small = allocator.allocate(1000);  // must not take the large block
  EXPECT_NE(small, large);
  EXPECT_EQ(allocator.statistics().in_use, 1024u);
  void* nearly = allocator.allocate(95000);
  EXPECT_EQ(nearly, large);
  allocator.release(small);
  allocator.release(nearly);
}

TEST(CachingAllocator, RemembersTheHighestUse) {
  SmallDevice device(1 << 20);
  CachingAllocator allocator(device, "small");
  void *a = allocator.allocate(64000), *b = allocator.allocate(64000);
  allocator.release(a);
  EXPECT_EQ(allocator.statistics().peak, 128000u);
  allocator.reset_peak();
  EXPECT_EQ(allocator.statistics().peak, 64000u);
  allocator.release(b);
}

TEST(CachingAllocator, EmptiesItsCacheBeforeItGivesUp) {
  SmallDevice device(1 << 20);
  CachingAllocator allocator(device, "small");
  allocator.release(allocator.allocate(700000));
  void* other = allocator.allocate(400000);  // fits only when the kept block goes back
  EXPECT_EQ(device.used, 400000u);
  allocator.release(other);
}

TEST(CachingAllocator, SaysWhoAskedForHowMuch) {
  SmallDevice device(1 << 20);
  CachingAllocator allocator(device, "small");
  void* held = allocator.allocate(1 << 19);
  allocator.release(allocator.allocate(1 << 17));
  const engine::OperationName name("conv");
  EXPECT_TRUE(throws<engine::OutOfMemory>(
      [&] { allocator.allocate(1 << 20); },
      "conv: out of memory on small: asked for 1.0 MiB; 1.0 MiB in all, 0.5 free; tensors hold 0.5 (highest so far 0.6), "
      "0.0 are kept for reuse. A smaller batch or patch needs less"));
  allocator.release(held);
}

TEST(Sparing, HoldsLittleMoreThanWasEverInUse) {
  SmallDevice device(1 << 20);
  CachingAllocator allocator(device, "small");
  const auto sizes_in_turn = [&] {  // none fits another's block
    std::size_t most = 0;
    for (std::size_t bytes = 4096; bytes <= 40960; bytes += 4096) {
      allocator.release(allocator.allocate(bytes));
      most = std::max(most, allocator.statistics().cached);
    }
    return most;
  };
  {
    const engine::Sparing outer(allocator, 5000);
    { const engine::Sparing inner(allocator, 0); }
    EXPECT_LE(sizes_in_turn(), 40960u + 5000);
    EXPECT_EQ(allocator.statistics().peak, 40960u);
    void* first = allocator.allocate(40960);
    allocator.release(first);
    EXPECT_EQ(allocator.allocate(40960), first);  // what fits is still used again
    allocator.release(first);
  }
  allocator.empty_cache();
  EXPECT_EQ(sizes_in_turn(), 55u * 4096);
}

TEST(Arena, KeepsItsBlocksUntilItEnds) {
  SmallDevice device(1 << 20);
  CachingAllocator allocator(device, "small");
  void* outside = allocator.allocate(640);
  auto arena = std::make_unique<engine::Arena>(allocator);
  void *a, *b;
  {
    const engine::Arena::Use use(*arena);
    a = allocator.allocate(640);
    allocator.release(a);
    EXPECT_EQ(allocator.allocate(640), a);  // within the use it is handed out again
    allocator.release(a);
    b = allocator.allocate(1280);
    allocator.release(outside);  // was there before: it is nobody's
    EXPECT_EQ(allocator.statistics().cached, 640u);
    EXPECT_TRUE(throws<engine::UsageError>([&] { const engine::Arena::Use second(*arena); },
                                           "memory of small is being set aside already"));
  }
  EXPECT_EQ(allocator.allocate(640), outside);
  void* fresh = allocator.allocate(640);
  EXPECT_NE(fresh, a);
  EXPECT_EQ(allocator.statistics().in_use, 4 * 640u + 640u);
  allocator.empty_cache();
  arena = nullptr;  // b outlives it
  EXPECT_EQ(allocator.statistics().cached, 640u);
  EXPECT_EQ(allocator.allocate(640), a);
  allocator.release(b);
  EXPECT_EQ(allocator.statistics().cached, 1280u);
  for (void* block : {outside, fresh, a}) allocator.release(block);
}

TEST(Arena, TakesBlocksThatAreKept) {
  SmallDevice device(1024);
  CachingAllocator allocator(device, "small");
  void* a = allocator.allocate(1024);
  allocator.release(a);
  engine::Arena arena(allocator);
  const engine::Arena::Use use(arena);
  EXPECT_EQ(allocator.allocate(1024), a);
  allocator.release(a);
  EXPECT_EQ(allocator.statistics().in_use, 1024u);
}

TEST(OperationName, Nests) {
  const engine::OperationName outer("outer");
  {
    const engine::OperationName inner("inner");
    EXPECT_STREQ(engine::OperationName::current(), "inner");
  }
  EXPECT_STREQ(engine::OperationName::current(), "outer");
}

TEST(Device, TensorsLiveOnARegisteredOne) {
  static SmallDevice device(1 << 20);
  const engine::Device place = engine::Device::cuda(40);
  engine::register_device(place, device);
  EXPECT_TRUE(engine::is_registered(place));
  const Tensor x = Tensor::of<float>({3}, {1, 2, 3}).to(place);
  EXPECT_EQ(x.device(), place);
  EXPECT_EQ(x.clone().to_vector<float>(), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(engine::allocator(place).statistics().in_use, 64u);
  EXPECT_TRUE(
      throws<engine::OutOfMemory>([&] { Tensor::zeros({1 << 20}, engine::Dtype::f32, place); }, "out of memory on cuda:40"));
}

}  // namespace
}  // namespace sagcl::tests
