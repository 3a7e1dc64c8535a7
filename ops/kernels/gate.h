#pragma once
#include "engine/philox.h"
#include "engine/tensor.h"

namespace sagcl::ops::kernels {

/// Where a gate's number lies, f64 [1]. The first loss that is not finite sets it to 0 (closes it), and then nothing changes
/// any more. nullptr, always open, for an undefined tensor.
inline const double* gate_of(const engine::Tensor& gate) { return gate.defined() ? gate.data<double>() : nullptr; }

SAGCL_BOTH inline bool closed(const double* gate) { return gate && *gate == 0; }

}  // namespace sagcl::ops::kernels
