// The run-time side of the plugin as far as it goes without a GPU: what a profiler is told, what is said when memory ends.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "autograd/tape.h"
#include "engine/devices/device_registry.h"
#include "engine/operation_name.h"
#include "engine/ranges.h"
#include "ops/arithmetic.h"
#include "ops/cuda/cudnn/cudnn_plans.hpp"
#include "ops/cuda/runtime/nvtx.h"
#include "ops/cuda/runtime/stream.h"
#include "ops/reduce.h"
#include "tests/support/queued_device.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using autograd::Variable;
using engine::Tensor;

TEST(Nvtx, OperationsAndTheirBackwardsAreRangesUnderAProfiler) {
  const char* library = SAGCL_RANGE_LOG;
  setenv("NVTX_INJECTION64_PATH", library, 1);
  ops::cuda::show_ranges_to_profiler();
  {
    const Variable x = Variable::parameter(Tensor::full({2}, 3));
    autograd::Tape tape;
    engine::Range phase("forward");
    Variable loss;
    {
      const autograd::Scope scope("encoder");
      loss = ops::sum(ops::square(x));
    }
    phase.next("backward");
    tape.backward(loss);
  }
  engine::listen_to_ranges(nullptr);
  void* profiler = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(profiler, nullptr) << "NVTX has not loaded the profiler";
  const auto transcript = reinterpret_cast<const char* (*)()>(dlsym(profiler, "sagcl_range_log"));
  ASSERT_NE(transcript, nullptr);
  EXPECT_STREQ(transcript(), "(forward(encoder(square)(sum)))(backward(encoder(sum))(encoder(square)))");
}

/// Every library reports the end of memory in its own way, and all end in the same message.
TEST(OutOfMemory, SaysWhatTheAllocatorKnows) {
  static QueuedDevice device(QueuedDevice::Copies::early);
  engine::register_device(ops::cuda::device(), device);
  const Tensor held = Tensor::empty({1 << 18}, engine::Dtype::f32, ops::cuda::device());
  const engine::OperationName name("conv");
  const std::string said =
      "0.0 MiB in all, 0.0 free; tensors hold 1.0 (highest so far 1.0), 0.0 are kept for reuse. A smaller";
  EXPECT_TRUE(throws<engine::OutOfMemory>([] { ops::cuda::check(cudaErrorMemoryAllocation, "cudaMallocAsync"); },
                                          "conv: cudaMallocAsync found no room on cuda:0; " + said));
  EXPECT_TRUE(throws<engine::OutOfMemory>(
      [] { ops::cuda::check(CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, "cuDNN finalize"); },
      "conv: cuDNN finalize found no room on cuda:0; " + said));
  EXPECT_TRUE(throws<engine::BackendError>([] { ops::cuda::check(cudaErrorLaunchFailure, "for_each"); }, "on cuda:0"));
}

}  // namespace
}  // namespace sagcl::tests
