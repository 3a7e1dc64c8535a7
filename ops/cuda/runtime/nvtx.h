#pragma once

namespace sagcl::ops::cuda {

/// Under a profiler (Nsight Systems and Compute set NVTX_INJECTION64_PATH) every engine::Range becomes an NVTX range;
/// without one nobody listens.
void show_ranges_to_profiler();

}  // namespace sagcl::ops::cuda
