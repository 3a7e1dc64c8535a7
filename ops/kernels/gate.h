#pragma once
#include "engine/philox.h"
#include "engine/tensor.h"

namespace sagcl::ops::kernels {

/// Where the number of a gate lies, f64 [1]: where it is 0 nothing may change. nullptr, always open, for an undefined
/// tensor.
inline const double* gate_of(const engine::Tensor& open) { return open.defined() ? open.data<double>() : nullptr; }

SAGCL_BOTH inline bool closed(const double* gate) { return gate && *gate == 0; }

}  // namespace sagcl::ops::kernels
