#pragma once
#include "ops/backend.h"

namespace sagcl::ops::cuda {

/// The backend of the GPU that open_device() chose.
Backend& gpu_backend();

}  // namespace sagcl::ops::cuda
