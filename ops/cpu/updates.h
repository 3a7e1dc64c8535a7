#pragma once
#include <vector>

#include "ops/backend.h"

namespace sagcl::ops::cpu {

// All parameters in one parallel pass over their memory, whatever their sizes: f32 and f64.
void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& open, const std::vector<AdamSlot>& slots);
void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& open, const std::vector<SgdSlot>& slots);
void average(const Tensor& alpha, const Tensor& open, const std::vector<std::pair<Tensor, Tensor>>& teacher_student);

}  // namespace sagcl::ops::cpu
