#include "ops/updates.h"

#include "ops/backend.h"

namespace sagcl::ops {

void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots) {
  engine::require(rates.size() == 3, "adam: rates should be [3], got shape {}", rates.shape());
  backend(rates.device()).adam(spec, rates, gate, slots);
}

void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots) {
  backend(lr.device()).sgd(spec, lr, gate, slots);
}

void average(const Tensor& alpha, const Tensor& gate, const std::vector<std::pair<Tensor, Tensor>>& teacher_student) {
  backend(alpha.device()).average(alpha, gate, teacher_student);
}

void close_unless_finite(const Tensor& x, Tensor& gate) { backend(x.device()).close_unless_finite(x, gate); }

}  // namespace sagcl::ops
