#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/tensor.h"

/// What the backend does without differentiating it (choices, keys, updates), described once: for any number of threads, for
/// devices that record, and for one device against another.
namespace sagcl::tests {

struct ChoiceCase {
  std::string name;
  std::function<std::vector<engine::Tensor>(engine::Dtype)> inputs;  ///< on the CPU, always the same; changed by nothing
  /// From inputs on any device; what is updated in place is a copy. Floating results are finite.
  std::function<std::vector<engine::Tensor>(const std::vector<engine::Tensor>&)> f;
};

const std::vector<ChoiceCase>& choice_cases();

/// Values of N(offset, scale²), exact in float.
engine::Tensor normal_values(const engine::Shape& shape, engine::Dtype dtype, const char* name, double scale = 1, double offset = 0);

}  // namespace sagcl::tests
