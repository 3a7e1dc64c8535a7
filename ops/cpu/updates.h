#pragma once
#include <vector>

#include "ops/backend.h"

namespace sagcl::ops::cpu {

/// Adam for all parameters in one parallel pass over their memory, whatever their sizes: f32 and f64.
void adam(const AdamStep& step, const std::vector<AdamSlot>& slots);

}  // namespace sagcl::ops::cpu
