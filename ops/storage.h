#pragma once
#include <string>

#include "autograd/tape.h"

namespace sagcl::ops {

/// How the tape keeps activations until their backward, for TapeOptions::keep. "f32": as they are. "bf16": rounded to 8
/// significant bits, half of the memory; the forward pass and all arithmetic stay f32, values of other types stay
/// themselves. UsageError for any other name.
std::function<autograd::Recipe(const autograd::Tensor&)> storage(const std::string& name);

}  // namespace sagcl::ops
