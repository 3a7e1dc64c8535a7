// Several GPUs without one: what is asked of NCCL, by a library that stands in for it (fake_nccl.cpp).
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "ops/cuda/runtime/nccl_communicator.h"
#include "ops/cuda/runtime/stream.h"
#include "tests/support/throws.h"

namespace sagcl::ops::cuda {
namespace {

using engine::BackendError;
using engine::Device;
using tests::throws;

class FakeNccl : public testing::Test {
 protected:
  void SetUp() override {
    setenv("SAGCL_NCCL", SAGCL_FAKE_NCCL, 1);
    void* library = dlopen(SAGCL_FAKE_NCCL, RTLD_NOW);
    ASSERT_NE(library, nullptr) << dlerror();
    calls = static_cast<char*>(dlsym(library, "sagcl_fake_nccl_calls"));
    async_error = static_cast<int*>(dlsym(library, "sagcl_fake_nccl_async_error"));
    send_status = static_cast<int*>(dlsym(library, "sagcl_fake_nccl_send_status"));
    *calls = '\0', *async_error = *send_status = 0;
    try {
      gpus = connect_gpus(engine::alone());
    } catch (const BackendError& e) { GTEST_SKIP() << e.what(); }  // built without nccl.h
  }
  void TearDown() override {
    gpus.reset();
    for (const char* name : {"SAGCL_NCCL", "SAGCL_NCCL_TIMEOUT"}) unsetenv(name);
  }
  /// As a host that waits for work that never ends.
  static void wait_in_vain() {
    watch_until_ready([] { return cudaErrorNotReady; }, "test");
  }

  std::unique_ptr<engine::Communicator> gpus;
  char* calls = nullptr;
  int *async_error = nullptr, *send_status = nullptr;
};

TEST_F(FakeNccl, PartsWithTheOthersAtTheEnd) {
  gpus.reset();
  EXPECT_STREQ(calls, "init destroy ");
}

TEST_F(FakeNccl, WhoLeavesByAnExceptionWaitsForNobody) {
  gpus.reset();
  *calls = '\0';
  EXPECT_THROW(
      {
        const auto here = connect_gpus(engine::alone());
        throw std::runtime_error("a mistake in the data of one process");
      },
      std::runtime_error);
  EXPECT_STREQ(calls, "init abort ");
}

TEST_F(FakeNccl, AGroupIsEndedWhenACallInItFails) {
  *send_status = 3;
  EXPECT_TRUE(throws<BackendError>([&] { gpus->all_to_all(nullptr, nullptr, 0, Device::cuda(0)); },
                                   "ncclSend: some error; NCCL_DEBUG=INFO tells more"));
  EXPECT_STREQ(calls, "init start send end ");
}

TEST_F(FakeNccl, AnotherProcessThatFailedEndsTheWait) {
  *async_error = 6;
  EXPECT_TRUE(throws<BackendError>(wait_in_vain, "a GPU of another process does not answer: remote process exited"));
  EXPECT_STREQ(calls, "init abort ");
  // NCCL's kernels have left, so the stream is ready; what they should have brought is not there.
  const auto later = [] { watch_until_ready([] { return cudaSuccess; }, "test"); };
  EXPECT_TRUE(throws<BackendError>(later, "a GPU of another process does not answer: remote process exited"));
  EXPECT_TRUE(throws<BackendError>([&] { gpus->all_gather(nullptr, 0, Device::cuda(0)); }, "does not answer"));
}

TEST_F(FakeNccl, AWaitHasAnEnd) {
  gpus.reset();
  setenv("SAGCL_NCCL_TIMEOUT", "0.05", 1);
  gpus = connect_gpus(engine::alone());
  EXPECT_TRUE(throws<BackendError>(wait_in_vain, "have not come together within 0 s: one of them may hang"));
  EXPECT_NE(std::string(calls).find("abort"), std::string::npos);
}

TEST_F(FakeNccl, WhatIsReadyIsNotWaitedFor) {
  int asked = 0;
  watch_until_ready([&] { return ++asked < 5 ? cudaErrorNotReady : cudaSuccess; }, "test");
  EXPECT_EQ(asked, 5);
  EXPECT_TRUE(throws<BackendError>([] { watch_until_ready([] { return cudaErrorLaunchFailure; }, "test"); }, "test: CUDA"));
}

}  // namespace
}  // namespace sagcl::ops::cuda
