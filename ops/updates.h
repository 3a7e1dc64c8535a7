#pragma once
#include "ops/specs.h"

// Updates in place, all parameters in one call. The tensors of a slot agree in shape, dtype and device; nothing is checked.
// `gate` is f64 [1] on the device, or undefined: where it is 0 nothing changes. Numbers that change from step to
// step lie on the device (f64), so that recorded work can be replayed with others.
namespace sagcl::ops {

/// rates [2]: lr / (1 - β1^t) and 1 / √(1 - β2^t) for step t = 1, 2, …
void adam(const AdamSpec& spec, const Tensor& rates, const Tensor& gate, const std::vector<AdamSlot>& slots);

/// lr [1]
void sgd(const SgdSpec& spec, const Tensor& lr, const Tensor& gate, const std::vector<SgdSlot>& slots);

/// t ← α t + (1-α) s for each pair; α [1]
void average(const Tensor& alpha, const Tensor& gate, const std::vector<std::pair<Tensor, Tensor>>& teacher_student);

/// gate = 0 where an element of x is NaN or infinite, else unchanged.
void close_unless_finite(const Tensor& x, Tensor& gate);

}  // namespace sagcl::ops
