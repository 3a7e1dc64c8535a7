#pragma once
#include "ops/cuda/cudnn/cudnn_plans.hpp"

/// Who computes a convolution: cuDNN's engines, our weight gradient, and for fp32 both with operands split into TF32 parts
/// (tf32_split.cuh). When a request first occurs, all that serve it are timed on its data and the fastest is kept, in memory
/// and in a file (plan_file.h).
namespace sagcl::ops::cuda {

/// The operands of one convolution, on the GPU, whatever the pass writes; b may be null.
struct Operands {
  void *x, *w, *y, *b;
};

/// False where nobody serves the request. BackendError while work is recorded and the request is new.
bool run(const PlanRequest& request, const Operands& operands);

}  // namespace sagcl::ops::cuda
