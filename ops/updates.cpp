#include "ops/updates.h"

#include "ops/backend.h"

namespace sagcl::ops {

void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& open, const std::vector<AdamSlot>& slots) {
  backend(rates.device()).adam(spec, rates, open, slots);
}

void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& open, const std::vector<SgdSlot>& slots) {
  backend(lr.device()).sgd(spec, lr, open, slots);
}

void average(const Tensor& alpha, const Tensor& open, const std::vector<std::pair<Tensor, Tensor>>& teacher_student) {
  backend(alpha.device()).average(alpha, open, teacher_student);
}

void close_unless_finite(const Tensor& x, Tensor& open) { backend(x.device()).close_unless_finite(x, open); }

}  // namespace sagcl::ops
