#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"

namespace sagcl::tests {

using engine::Tensor;

/// The folder of golden values: the environment variable SAGCL_GOLDEN, else tests/golden.
std::filesystem::path golden_folder();

/// A file of golden values (f64 references made by another implementation; see tests/golden/README.md).
class Golden {
 public:
  explicit Golden(const std::string& name);  ///< "ops_norm" reads ops_norm.safetensors
  std::vector<std::string> cases() const;    ///< the first path element of all names, sorted, each once
  bool has(const std::string& name) const { return file_.tensors.count(name) > 0; }
  const Tensor& get(const std::string& name) const;                ///< as stored; fails loudly when absent
  Tensor get(const std::string& name, engine::Dtype dtype) const;  ///< converted
  double number(const std::string& name) const;                    ///< a one-element attribute
  std::vector<std::int64_t> integers(const std::string& name) const;
  const engine::TensorFile& file() const { return file_; }

 private:
  std::string name_;
  engine::TensorFile file_;
};

/// max|a - b| / max|b|, the measure of tests/golden/README.md (absolute where b is all zero). NaN never passes.
double relative_difference(const Tensor& a, const Tensor& b);

/// Expects relative_difference(actual, expected) <= tolerance and equal shapes (up to extents of one).
testing::AssertionResult close(const Tensor& actual, const Tensor& expected, double tolerance);

/// Bit for bit.
testing::AssertionResult identical(const Tensor& a, const Tensor& b);

/// Values drawn from N(0,1), rounded to float so that f32 and f64 tests start from the same numbers.
Tensor random_tensor(const engine::Shape& shape, std::uint64_t seed, engine::Dtype dtype = engine::Dtype::f64,
                     double scale = 1, double offset = 0);

}  // namespace sagcl::tests
