#include "engine/devices/device_registry.h"
#include "engine/devices/replay.h"

#include <gtest/gtest.h>

#include "ops/dropout.h"
#include "ops/reduce.h"
#include "tests/support/recording_device.h"
#include "tests/support/throws.h"

using namespace sagcl;
using namespace sagcl::engine;
using tests::RecordingDevice;
using tests::throws;

namespace {

/// A mask of dropout from a fork, and a number from memory, added into `sum`.
struct Example {
  Device device = RecordingDevice::get().place();
  Tensor ones = Tensor::full({4, 8}, 1, Dtype::f32, device), number = Tensor::zeros({1}, Dtype::f64, device),
         sum = Tensor::zeros({4, 8}, Dtype::f32, device);
  int calls = 0;

  void work(const Generator& random) {
    ++calls;
    Generator masks = random.fork(3).fork(1);
    for (int i = 0; i < 2; ++i) {
      const Tensor mask = ops::dropout(autograd::Variable(ones), 0.5, masks.next_key()).value();
      Tensor scaled = Tensor::empty_like(mask);
      ops::backend(device).scale_by(number, mask, scaled);
      ops::backend(device).scale_add(1, scaled, 1, sum, sum);
    }
  }
  std::vector<double> run(Replay& replay, std::uint64_t step) {
    const double value = double(step);
    runtime(device).copy_from_host(number.bytes_begin(), &value, sizeof value);
    replay.run(Generator(1, "replay", step), [&](const Generator& random) { work(random); });
    return sum.to_doubles();
  }
};

}  // namespace

TEST(Replay, DrawsAnewAndReadsItsNumbersFromMemory) {
  Example direct, replayed;
  Replay never(direct.device, false), always(replayed.device, true);
  RecordingDevice& device = RecordingDevice::get();
  const int recordings = device.recordings, replays = device.replays;
  for (std::uint64_t step = 1; step <= 5; ++step) EXPECT_EQ(direct.run(never, step), replayed.run(always, step)) << step;
  EXPECT_EQ(direct.calls, 5);
  EXPECT_EQ(replayed.calls, 2);  // once directly, once to be recorded
  EXPECT_EQ(device.recordings - recordings, 1);
  EXPECT_EQ(device.replays - replays, 4);
}

TEST(Replay, AFailureToRecordLeavesItReadyToTryAgain) {
  Example example;
  Replay replay(example.device, true);
  example.run(replay, 1);
  RecordingDevice::get().refuses = true;
  EXPECT_THROW(example.run(replay, 2), BackendError);
  RecordingDevice::get().refuses = false;
  EXPECT_NO_THROW(example.run(replay, 2));
}

TEST(Replay, RefusesNumbersThatTheHostDraws) {
  Example example;
  Replay replay(example.device, true);
  const auto work = [&](const Generator& random) { random.fork(0).uniform(); };
  replay.run(Generator(1, "replay"), work);
  EXPECT_TRUE(throws<UsageError>([&] { replay.run(Generator(1, "replay"), work); }, "may draw keys (next_key) only"));
}

TEST(Replay, OnTheCpuEveryRunIsDirect) {
  int calls = 0;
  Replay replay(Device::cpu(), true);
  for (int i = 0; i < 3; ++i) replay.run(Generator(1, "replay"), [&](const Generator&) { ++calls; });
  EXPECT_EQ(calls, 3);
}
