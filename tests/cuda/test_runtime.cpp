// The run-time side of the plugin as far as it goes without a GPU: what a profiler is told.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "autograd/tape.h"
#include "ops/arithmetic.h"
#include "ops/cuda/nvtx.h"
#include "ops/reduce.h"

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
  EXPECT_STREQ(transcript(), "(forward(encoder(square)(sum)))(backward(sum)(square))");
}

}  // namespace
}  // namespace sagcl::tests
