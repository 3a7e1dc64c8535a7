#pragma once
#include "ops/backend.h"

/// Updates of all parameters in one launch (or one for every 400): a network has a hundred small tensors.
namespace sagcl::ops::cuda {

void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& open, const std::vector<AdamSlot>& slots);
void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& open, const std::vector<SgdSlot>& slots);
void average(const Tensor& alpha, const Tensor& open, const std::vector<std::pair<Tensor, Tensor>>& teacher_student);

}  // namespace sagcl::ops::cuda
