#pragma once
#include "ops/backend.h"

/// Updates of all parameters in one launch (or one for every 400): a network has a hundred small tensors.
namespace sagcl::ops::cuda {

void adam(const AdamStep& step, const std::vector<AdamSlot>& slots);
void sgd(const SgdStep& step, const std::vector<SgdSlot>& slots);
void average(double alpha, const std::vector<std::pair<Tensor, Tensor>>& teacher_student);

}  // namespace sagcl::ops::cuda
