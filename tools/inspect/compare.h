#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace sagcl::tools {

/// How far two tensors are apart.
struct TensorDifference {
  std::string name;
  std::string shapes = {};  ///< "[3, 4] and [4, 3]" where they differ; then nothing else is known
  std::int64_t elements = 0, differ = 0, first = -1;
  double a = 0, b = 0;    ///< at `first`
  double largest = 0;     ///< |a - b|
  double relative = 0;    ///< ‖a - b‖ / ‖a‖
  std::uint64_t ulp = 0;  ///< largest distance in representable numbers, of f32 and f64
};
TensorDifference difference(const std::string& name, const engine::Tensor& a, const engine::Tensor& b);

/// What differs between two run folders or two safetensors files: of runs their settings, the first step at which a loss or
/// a term has other bits, and the tensors of the newest checkpoints that both have of one step; of files their tensors, the
/// worst first. `equal`: nothing does.
struct Comparison {
  std::string text, json;
  bool equal = true;
};
Comparison compare(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace sagcl::tools
