#include "ops/cuda/runtime/nvtx.h"

#include <nvtx3/nvToolsExt.h>

#include <cstdlib>

#include "engine/ranges.h"

namespace sagcl::ops::cuda {
namespace {

class NvtxRanges final : public engine::RangeListener {
 public:
  void begin(const char* name) override { nvtxRangePushA(name); }
  void end() override { nvtxRangePop(); }
};

}  // namespace

void show_ranges_to_profiler() {
  static NvtxRanges& ranges = *new NvtxRanges;
  if (std::getenv("NVTX_INJECTION64_PATH")) engine::listen_to_ranges(&ranges);
}

}  // namespace sagcl::ops::cuda
