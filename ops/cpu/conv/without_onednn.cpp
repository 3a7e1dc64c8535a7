#include "ops/cpu/conv/onednn.h"

// Built in the place of onednn.cpp when the yardstick was not asked for (SAGCL_ONEDNN=OFF).
namespace sagcl::ops::cpu {
namespace {

[[noreturn]] void refuse() {
  engine::fail<engine::UsageError>(
      "SAGCL_CONV is 'onednn', but this build is without oneDNN; configure it with -DSAGCL_ONEDNN=ON (apt-get install "
      "libdnnl-dev ocl-icd-opencl-dev)");
}

}  // namespace

void onednn_forward(const ConvGeometry&, const float*, const float*, const float*, float*) { refuse(); }
void onednn_backward_data(const ConvGeometry&, const float*, const float*, const float*, float*) { refuse(); }
void onednn_backward_weight(const ConvGeometry&, const float*, const float*, float*) { refuse(); }

}  // namespace sagcl::ops::cpu
