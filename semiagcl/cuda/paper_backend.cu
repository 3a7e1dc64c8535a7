#include "ops/cuda/launch_cuda.cuh"
#include "semiagcl/kernels/shared_backend.inl"

/// The plugin's entry for the paper's kernels (semiagcl/kernels/backend.h), after its start.
extern "C" __attribute__((visibility("default"))) sagcl::semiagcl::PaperBackend* sagcl_plugin_paper_backend() {
  static auto& backend = *new sagcl::semiagcl::SharedPaperBackend<sagcl::ops::cuda::CudaLaunch>;
  return &backend;
}
