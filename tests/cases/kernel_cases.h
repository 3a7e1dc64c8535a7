#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/random.h"
#include "engine/tensor.h"

/// What both contracts compute without differentiating it (selection, updates, the paper's kernels), described once: for any
/// number of threads, for devices that record, and for one device against another.
namespace sagcl::tests {

struct KernelCase {
  std::string name;
  std::function<std::vector<engine::Tensor>(engine::Dtype)> inputs;  ///< on the CPU, always the same; changed by nothing
  /// From inputs on any device; what is updated in place is a copy. Floating results are finite.
  std::function<std::vector<engine::Tensor>(const std::vector<engine::Tensor>&)> f;
};

const std::vector<KernelCase>& kernel_cases();
void add_paper_cases(std::vector<KernelCase>& cases);  ///< paper_cases.cpp: those of the paper's contract

inline engine::Tensor number(double value) { return engine::Tensor::of<double>({1}, {value}); }
inline engine::RandomKey some_key() { return engine::Generator(3, "choices").next_key(); }
/// On the device of another.
inline engine::Tensor empty(const engine::Shape& shape, engine::Dtype dtype, const engine::Tensor& beside) {
  return engine::Tensor::empty(shape, dtype, beside.device());
}

/// Values of N(offset, scale²), exact in float.
engine::Tensor normal_values(const engine::Shape& shape, engine::Dtype dtype, const char* name, double scale = 1,
                             double offset = 0);
engine::Tensor uniform_values(const engine::Shape& shape, engine::Dtype dtype, const char* name);  ///< U(0,1)
engine::Tensor integers(const engine::Shape& shape, std::int64_t below, const char* name);         ///< i32

}  // namespace sagcl::tests
