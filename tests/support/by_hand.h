#pragma once
#include <vector>

#include "autograd/variable.h"
#include "tests/cases/kernel_cases.h"

/// Short names for numbers that a reader can follow, in f64.
namespace sagcl::tests {

using autograd::Variable;
using engine::Tensor;
using Doubles = std::vector<double>;
using Variables = std::vector<Variable>;

inline Tensor of(const engine::Shape& shape, const Doubles& values) { return Tensor::of(shape, values); }

}  // namespace sagcl::tests
